//! GetCallerIdentity of the Security Token Service.

use causeway_dialect::{EncodeContext, Failure};
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::selects;

pub const ACTION: Action = Action { service: "sts", name: "GetCallerIdentity", decode, encode };

fn decode(_: &Input<'_>) -> Result<Operation, Failure> {
    Ok(selects::settings())
}

/// Every key is its account's own: there are no users and roles below an account.
fn encode(_: &Outcome, context: &EncodeContext<'_>) -> Value {
    let account = context.caller.account.as_str();
    json!({
        "AccountId": account,
        "Arn": format!("acs:ram::{account}:root"),
        "IdentityType": "Account",
        "PrincipalId": account,
        "UserId": account,
        "RoleId": "",
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{ACCOUNT, World};

    #[test]
    fn the_account_of_the_key() {
        let shown = World::new().ok("GetCallerIdentity", &[]);
        assert_eq!(shown["AccountId"], ACCOUNT);
        assert_eq!(shown["IdentityType"], "Account");
        assert_eq!(shown["Arn"], format!("acs:ram::{ACCOUNT}:root"));
    }
}
