//! DescribeVpcTaskResult: a task's id is the id of the request that started it.

use causeway_dialect::EncodeContext;
use causeway_model::{Connection, ConnectionState, ExternalId, Kind, ListKey, Record, View};
use causeway_ops::{Operation, Outcome, Query};
use serde_json::{Value, json};

use crate::action::{self, Action, Answer, Decoded, Input};
use crate::errors;
use crate::facet::{self, ConnectionFacet};
use crate::params::Members;
use crate::refusal::Refusal;

/// See the module.
pub const ACTION: Action = Action { service: "vpc", name: "DescribeVpcTaskResult", decode, encode };

fn decode(input: &Input<'_>) -> Result<Decoded, Refusal> {
    input.members().required("TaskId")?;
    Ok(Operation::Read(Query::Settings).into())
}

fn encode(_: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let task = Members::new(&context.envelope.params).required("TaskId")?;
    let made =
        find(context, &task).ok_or_else(|| errors::missing_resource(&ExternalId::from(task.clone())))?;
    let status = match made.state() {
        ConnectionState::Provisioning => "RUNNING",
        ConnectionState::Active | ConnectionState::Updating | ConnectionState::Deleting => "SUCCESS",
    };
    let result = json!([{"ResourceId": made.meta.external.as_str(), "Status": status}]);
    let mut answer = action::one("Status", Value::from(status));
    answer.insert("Output".to_owned(), Value::from(status));
    answer.insert("Result".to_owned(), result);
    Ok(answer)
}

/// The caller's connection that a task made.
fn find<'a>(context: &EncodeContext<'a>, task: &str) -> Option<&'a Connection> {
    let view: &'a View = context.view;
    let caller = context.caller;
    let list = view.list(&ListKey {
        owner: caller.account.clone(),
        dialect: caller.dialect.clone(),
        region: caller.region.clone(),
        kind: Kind::Connection,
    });
    // Tasks are asked for soon after they start: the newest first.
    list.iter().rev().find_map(|(_, key)| match view.record(*key) {
        Some(Record::Connection(it)) if it.meta.facet.contains(task) => {
            let own: ConnectionFacet = facet::read(&it.meta.facet);
            (own.task == task).then_some(&**it)
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use causeway_model::View;
    use serde_json::json;

    use crate::testing;

    #[test]
    fn an_unknown_task_is_not_found() {
        let mut view = View::default();
        let unknown = testing::call(&mut view, "vpc", "DescribeVpcTaskResult", json!({"TaskId": "5"}));
        assert_eq!(unknown.expect_err("is unknown").code, "ResourceNotFound");
        let number = testing::call(&mut view, "vpc", "DescribeVpcTaskResult", json!({"TaskId": 5}));
        assert_eq!(number.expect_err("is no text").code, "InvalidParameter");
    }
}
