//! A worker's buffers: away, late, and back.

use super::sealed::{SPARES, Sealed};
use super::spares::Spares;

#[test]
fn those_given_up_are_not_waited_for_and_are_late_until_they_come() {
    let spares = Spares::default();
    spares.fill().unwrap();
    let (lost, first) = (spares.take().unwrap(), spares.round());
    assert!(!spares.is_whole() && !spares.is_late());
    spares.give_up();
    assert!(spares.is_whole() && spares.is_late());
    // Others come and go meanwhile.
    let (other, second) = (spares.take().unwrap(), spares.round());
    assert!(!spares.is_whole());
    spares.put(other, second);
    assert!(spares.is_whole() && spares.is_late());
    spares.give_up();
    spares.put(lost, first);
    assert!(spares.is_whole() && !spares.is_late());
    let all: Vec<Sealed> = std::iter::from_fn(|| spares.take()).collect();
    assert_eq!((all.len(), spares.is_any()), (SPARES, false));
}
