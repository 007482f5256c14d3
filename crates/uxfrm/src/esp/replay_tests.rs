use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// The plain model: every number that was accepted, and the highest.
#[derive(Default)]
struct Model {
    seen: BTreeSet<u64>,
    top: u64,
}

impl Model {
    fn accept(&mut self, sequence: u64, window: u64) -> bool {
        let fresh = sequence != 0
            && (sequence > self.top || (self.top - sequence < window && !self.seen.contains(&sequence)));
        if fresh {
            self.seen.insert(sequence);
            self.top = self.top.max(sequence);
        }
        fresh
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Numbers near each other, around a start that may lie at a 2^32 border: the window agrees with the model, with extended
    /// numbers and without.
    #[test]
    fn agrees_with_the_model(
        window in prop::sample::select(vec![1u32, 31, 32, 33, 64, 100, 128, 1000, 1024, 4096]),
        extended in any::<bool>(),
        base in prop::sample::select(vec![0u64, 1, 5000, (1 << 32) - 3000, (1 << 32) - 1, (5 << 32) - 10]),
        steps in prop::collection::vec(0u64..9000, 1..400),
    ) {
        let base = if extended { base } else { base.min(u64::from(u32::MAX) - 3000) };
        let mut replay = ReplayWindow::new(window, extended);
        let mut model = Model::default();
        if base > 0 {
            replay.import(base, &[]);
            model.top = base;
            model.seen.extend(base.saturating_sub(5000)..=base);
        }
        for step in steps {
            // From behind the window to well ahead of the top.
            let sequence = model.top.saturating_sub(4500) + step;
            if sequence > (if extended { u64::from(u32::MAX) << 3 } else { u32::MAX.into() }) { continue }
            let inferred = replay.infer(sequence as u32);
            let behind = model.top.saturating_sub(sequence) >= u64::from(window);
            if !behind || !extended {
                prop_assert_eq!(inferred, Some(sequence));
            }
            let result = replay.check(sequence as u32);
            if behind && extended {
                // It is taken for a number of the next 2^32, which the ICV then refutes: nothing is committed.
                prop_assert_ne!(result, Ok(sequence));
                prop_assert!(result.is_err() || result.is_ok_and(|full| full >= 1 << 32 && full > model.top));
                continue;
            }
            let committed = result.and_then(|full| replay.commit(full).map(|()| full));
            let fresh = model.accept(sequence, u64::from(window));
            prop_assert_eq!(committed.ok(), fresh.then_some(sequence));
            // What was refused, or accepted, is refused from then on.
            prop_assert!(replay.commit(sequence).is_err());
        }
    }

    #[test]
    fn export_and_import_keep_every_answer(
        window in 1u32..300, numbers in prop::collection::vec(1u64..600, 1..200),
    ) {
        let mut replay = ReplayWindow::new(window, false);
        for n in &numbers { let _ = replay.commit(*n); }
        let mut copy = ReplayWindow::new(window, false);
        copy.import(replay.top(), replay.bits());
        for n in 0..700u32 { prop_assert_eq!(replay.check(n), copy.check(n)); }
    }
}

#[test]
fn zero_is_never_accepted() {
    assert_eq!(ReplayWindow::new(64, false).check(0), Err(EspError::Replayed));
}

#[test]
fn esn_passes_the_border_both_ways() {
    let mut replay = ReplayWindow::new(64, true);
    replay.import(0xffff_fff0, &[0, 0]);
    assert_eq!(replay.check(0xffff_fff5), Ok(0xffff_fff5));
    assert_eq!(replay.check(3), Ok(0x1_0000_0003));
    replay.commit(0x1_0000_0003).unwrap();
    assert_eq!(replay.check(0xffff_fff5), Ok(0xffff_fff5));
    assert_eq!(replay.check(3), Err(EspError::Replayed));
}
