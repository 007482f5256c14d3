//! GetCallerIdentity of sts.

use causeway_dialect::EncodeContext;
use causeway_ops::{Operation, Outcome, Query};
use serde_json::Value;

use crate::action::{Action, Answer, Input};
use crate::refusal::Refusal;

/// See the module.
pub const ACTION: Action = Action { service: "sts", name: "GetCallerIdentity", decode, encode };

fn decode(_: &Input<'_>) -> Result<Operation, Refusal> {
    Ok(Operation::Read(Query::Settings))
}

/// Keys belong to accounts here, so that the user is the account.
fn encode(_: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let account = context.caller.account.as_str();
    let text = |name: &str, value: String| (name.to_owned(), Value::from(value));
    Ok(Answer::from_iter([
        text("Arn", format!("qcs::cam::uin/{account}:uin/{account}")),
        text("AccountId", account.to_owned()),
        text("UserId", account.to_owned()),
        text("PrincipalId", account.to_owned()),
        text("Type", "CAMUser".to_owned()),
    ]))
}
