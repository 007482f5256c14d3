//! Pages of lists.

use causeway_dialect::EncodeContext;
use causeway_dialect::json::Members;
use causeway_model::Record;
use causeway_ops::Outcome;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::params::{Fields, Page};
use crate::selects::found;

/// A page: `{TotalCount, PageNumber, PageSize, <outer>: {<inner>: […]}}`. The list is there even when empty:
/// clients fail on a missing one.
pub fn page(
    outcome: &Outcome,
    context: &EncodeContext<'_>,
    (outer, inner): (&str, &str),
    show: impl Fn(&Record) -> Option<Value>,
) -> Value {
    let (items, total) = found(outcome);
    let page = Page::read(&Fields::of(&context.envelope.params)).unwrap_or(Page { number: 1, size: 10 });
    let shown: Vec<Value> = items.iter().filter_map(show).collect();
    let mut list = Map::new();
    list.insert(inner.to_owned(), shown.into());
    let mut body = Map::new();
    body.insert("TotalCount".to_owned(), total.into());
    body.insert("PageNumber".to_owned(), page.number.into());
    body.insert("PageSize".to_owned(), page.size.into());
    body.insert(outer.to_owned(), Value::Object(list));
    Value::Object(body)
}

/// Like [`page`], written at once.
pub fn written<'a, T: Serialize>(
    outcome: &'a Outcome,
    context: &EncodeContext<'_>,
    (outer, inner): (&str, &str),
    show: impl Fn(&'a Record) -> Option<T>,
) -> Members {
    let (items, total) = found(outcome);
    let page = Page::read(&Fields::of(&context.envelope.params)).unwrap_or(Page { number: 1, size: 10 });
    let shown: Vec<T> = items.iter().filter_map(show).collect();
    Members::new()
        .with("TotalCount", total)
        .with("PageNumber", page.number)
        .with("PageSize", page.size)
        .with(outer, List { inner, shown })
}

/// An object with one list.
struct List<'a, T> {
    inner: &'a str,
    shown: Vec<T>,
}

impl<T: Serialize> Serialize for List<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.inner, &self.shown)])
    }
}
