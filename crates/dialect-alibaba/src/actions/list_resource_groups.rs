//! ListResourceGroups of Resource Management.

use causeway_dialect::time::iso_utc;
use causeway_dialect::{EncodeContext, Failure};
use causeway_model::Millis;
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::params::Fields;
use crate::selects;

pub const ACTION: Action = Action { service: "resourcemanager", name: "ListResourceGroups", decode, encode };

/// Groups of a page.
const PAGE_SIZE: u32 = 10;
const PAGE_SIZE_MAX: u32 = 100;

fn page(fields: &Fields<'_>) -> Result<(u32, u32), Failure> {
    let number = fields.integer_within("PageNumber", 1, u32::MAX)?.unwrap_or(1);
    Ok((number, fields.integer_within("PageSize", 1, PAGE_SIZE_MAX)?.unwrap_or(PAGE_SIZE)))
}

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    page(&input.fields)?;
    input.fields.texts("ResourceGroupIds")?;
    Ok(selects::settings())
}

fn encode(_: &Outcome, context: &EncodeContext<'_>) -> Value {
    let fields = Fields::of(&context.envelope.params);
    let caller = context.caller;
    let (number, size) = page(&fields).unwrap_or((1, PAGE_SIZE));
    let ids = fields.texts("ResourceGroupIds").unwrap_or_default();
    let (name, status) = (fields.text("Name"), fields.text("Status"));
    let account = caller.settings.accounts.get(&caller.account);
    let groups: Vec<&(String, String)> = account
        .into_iter()
        .flat_map(|account| &account.resource_groups)
        .filter(|(id, _)| ids.is_empty() || ids.contains(id))
        .filter(|(_, group)| name.as_ref().is_none_or(|name| name == group))
        .filter(|_| status.as_deref().is_none_or(|status| status == "OK"))
        .collect();
    let before = (number as usize).saturating_sub(1).saturating_mul(size as usize);
    let shown: Vec<Value> = groups
        .iter()
        .skip(before)
        .take(size as usize)
        .map(|(id, name)| {
            json!({
                "Id": id,
                "Name": name,
                "DisplayName": name,
                "AccountId": caller.account,
                "Status": "OK",
                // Groups come from the settings, which know no date.
                "CreateDate": iso_utc(Millis(0)),
            })
        })
        .collect();
    json!({
        "ResourceGroups": {"ResourceGroup": shown},
        "TotalCount": groups.len(),
        "PageNumber": number,
        "PageSize": size,
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn the_accounts_groups() {
        let mut world = World::new();
        let shown =
            world.ok("ListResourceGroups", &[("Status", "OK"), ("PageSize", "1"), ("PageNumber", "2")]);
        assert_eq!(shown["TotalCount"], 2);
        assert_eq!(shown["ResourceGroups"]["ResourceGroup"][0]["Id"], "rg-2");
        let one = world.ok("ListResourceGroups", &[("ResourceGroupIds.1", "rg-1")]);
        assert_eq!(one["ResourceGroups"]["ResourceGroup"][0]["Name"], "default");
        assert_eq!(world.ok("ListResourceGroups", &[("Status", "Deleting")])["TotalCount"], 0);
    }
}
