//! DescribeVpcTaskResult: a task's id is the id of the request that started it.

use causeway_dialect::EncodeContext;
use causeway_model::{Connection, ConnectionState, ExternalId, Kind, ListKey, Record, View};
use causeway_ops::{Operation, Outcome, Query};
use serde_json::{Value, json};

use crate::action::{self, Action, Answer, Input};
use crate::errors;
use crate::facet::{self, ConnectionFacet};
use crate::params::Members;
use crate::refusal::Refusal;
use crate::task;

/// See the module.
pub const ACTION: Action = Action { service: "vpc", name: "DescribeVpcTaskResult", decode, encode };

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    input.members().required("TaskId")?;
    Ok(Operation::Read(Query::Settings))
}

fn encode(_: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let task = Members::new(&context.envelope.params).required("TaskId")?;
    let (status, resource) = match find(context, &task) {
        Some(made) => (state_of_creation(made.state()), made.meta.external.clone()),
        None => deletion(context, &task)
            .ok_or_else(|| errors::missing_resource(&ExternalId::from(task.clone())))?,
    };
    let result = json!([{"ResourceId": resource.as_str(), "Status": status}]);
    let mut answer = action::one("Status", Value::from(status));
    answer.insert("Output", status);
    answer.insert("Result", result);
    Ok(answer)
}

fn state_of_creation(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::Provisioning => "RUNNING",
        ConnectionState::Active | ConnectionState::Updating | ConnectionState::Deleting => "SUCCESS",
    }
}

/// How the deletion of a connection stands: it is over when the connection is gone, and failed when the
/// connection stayed.
fn deletion(context: &EncodeContext<'_>, task: &str) -> Option<(&'static str, ExternalId)> {
    let id = task::deletion_of(task)?;
    let caller = context.caller;
    let record = context.view.by_external(&caller.dialect, Kind::Connection, &id);
    // Another account's or region's is as one that is gone: whether it is there is not for this caller.
    let own = record
        .and_then(Record::meta)
        .filter(|meta| meta.owner == caller.account && meta.region == caller.region);
    let status = match own {
        None => "SUCCESS",
        Some(meta) if meta.deleting => "RUNNING",
        Some(_) => "FAILED",
    };
    Some((status, id))
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
    fn the_deletion_of_a_connection_is_a_task() {
        let mut view = View::default();
        let id = crate::task::deletion_id("vpnx-f49l6u0z", 5);
        let found = testing::call(&mut view, "vpc", "DescribeVpcTaskResult", json!({"TaskId": id})).unwrap();
        // The connection is not there any more.
        assert_eq!(found["Status"], "SUCCESS");
        assert_eq!(found["Result"], json!([{"ResourceId": "vpnx-f49l6u0z", "Status": "SUCCESS"}]));
    }

    #[test]
    fn an_unknown_task_is_not_found() {
        let mut view = View::default();
        let unknown = testing::call(&mut view, "vpc", "DescribeVpcTaskResult", json!({"TaskId": "5"}));
        assert_eq!(unknown.expect_err("is unknown").code, "ResourceNotFound");
        let number = testing::call(&mut view, "vpc", "DescribeVpcTaskResult", json!({"TaskId": 5}));
        assert_eq!(number.expect_err("is no text").code, "InvalidParameter");
    }
}
