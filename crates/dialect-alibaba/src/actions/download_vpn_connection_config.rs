//! DownloadVpnConnectionConfig: what the device at the far end needs, from its own point of view.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::{Kind, Record};
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::download;
use crate::selects::{found, one};

pub const ACTION: Action = Action { service: "vpc", name: "DownloadVpnConnectionConfig", decode, encode };

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    Ok(one(Kind::Connection, input.fields.required_id("VpnConnectionId")?))
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    match found(outcome).0.first() {
        Some(Record::Connection(it)) => {
            json!({"VpnConnectionConfig": download::write(it, context.view).unwrap_or_else(|_| json!({}))})
        }
        _ => json!({}),
    }
}
