//! The keeper of a gateway instance as a program of its own: smaller than the control plane's, of which
//! there is one, while there is a keeper per instance.

fn main() -> std::process::ExitCode {
    causeway_engine_linux::shim::child_entry();
    let args: Vec<String> = std::env::args().skip(1).collect();
    causeway_engine_linux::shim::main(&args)
}
