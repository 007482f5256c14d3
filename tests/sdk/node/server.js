"use strict";
// A `causeway serve` of a test file's own, on a free port, stopped by its own process handle.
const { spawn } = require("node:child_process");
const crypto = require("node:crypto");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

// Ends only what would never end.
const PATIENCE_MS = 180_000;
const STEP_MS = 60;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function binary() {
  return process.env.CAUSEWAY_BIN || path.join(__dirname, "../../../target/debug/causeway");
}

/** Starts a server; gives its port, its key and `stop`. */
async function serve() {
  const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), "causeway-node-"));
  const keyId = "AKID" + crypto.randomBytes(16).toString("hex");
  const keySecret = crypto.randomBytes(16).toString("hex");
  const config = path.join(dataDir, "causeway.toml");
  fs.writeFileSync(config, "rate_limits = false\n");
  const words = ["serve", "--engine", "memory", "--listen", "127.0.0.1:0", "--data-dir", dataDir, "--config", config];
  const child = spawn(binary(), [...words, "--dev-key", `${keyId}:${keySecret}`], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((done) => child.once("exit", done));
  const stop = async () => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
    await ended;
    clearTimeout(timer);
    fs.rmSync(dataDir, { recursive: true, force: true });
  };
  process.once("exit", () => child.kill("SIGKILL"));
  let text = "";
  let ready = "";
  const port = await new Promise((found, failed) => {
    const timer = setTimeout(() => failed(new Error("no ready line:\n" + text)), PATIENCE_MS);
    const read = (data) => {
      ready += data;
      const match = /127\.0\.0\.1:(\d+)/.exec(ready);
      if (match) {
        clearTimeout(timer);
        found(Number(match[1]));
      }
    };
    child.stdout.on("data", read);
    child.stderr.on("data", (data) => {
      text += data;
    });
    child.once("exit", (code) => failed(new Error(`the server ended (${code}):\n` + text)));
  });
  const address = `127.0.0.1:${port}`;
  await until(async () => (await fetch(`http://${address}/healthz`)).status === 200, "/healthz");
  return { port, address, keyId, keySecret, stop };
}

/** Calls `probe` until it gives something true, and gives that. */
async function until(probe, what) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`${what} did not come true`);
    await pause(STEP_MS);
  }
}

module.exports = { serve, until };
