//! A service without sockets, store and engine: a snapshot that decisions change.

use std::collections::BTreeMap;
use std::sync::Arc;

use causeway_dialect::{Call, DecodeContext, Dialect, EncodeContext, Gate, Request};
use causeway_model::{AccountId, Kind, Millis, Record, View, Write};
use causeway_ops::{AccountSettings, Caller, Settings, decide};

/// 2027-01-15T08:00:00Z.
const NOW: Millis = Millis(1_800_000_000_000);
const ACCOUNT: &str = "1000000000000001";

/// See the module.
pub struct World {
    view: View,
    settings: Arc<Settings>,
    random: u64,
}

impl World {
    /// An empty one, for these dialects.
    pub fn new(dialects: &[&dyn Dialect]) -> Self {
        let account = AccountSettings {
            resource_groups: vec![("rg-1".to_owned(), "default".to_owned())],
            ..AccountSettings::new(ACCOUNT, "fuzz")
        };
        let settings = Settings {
            regions: dialects.iter().map(|dialect| (dialect.id(), dialect.default_regions())).collect(),
            public_pools: vec!["198.51.100.0/24".parse().expect("a range")],
            accounts: BTreeMap::from([(account.id.clone(), account)]),
        };
        Self { view: View::default(), settings: Arc::new(settings), random: 1 }
    }

    /// The ids of everything that exists, in order of creation.
    pub fn ids(&self) -> Vec<String> {
        let metas = self.view.records().filter_map(Record::meta);
        let sorted: BTreeMap<u64, String> = metas.map(|meta| (meta.seq, meta.external.to_string())).collect();
        sorted.into_values().collect()
    }

    /// Everything that the server does with a request, whatever the signature.
    pub fn call(&mut self, dialect: &dyn Dialect, request: &Request) {
        let _ = dialect.recognises(request);
        let manner = dialect.manner(request, 7);
        let mut envelope = match dialect.open(request) {
            Ok(envelope) => envelope,
            Err(failure) => return drop(dialect.fail(&failure, &manner)),
        };
        if let Err(failure) = dialect.verify(request, &envelope, "secret") {
            let _ = dialect.fail(&failure, &manner);
        }
        if let Err(failure) = dialect.read(request, &mut envelope) {
            return drop(dialect.fail(&failure, &manner));
        }
        let envelope = envelope;
        let _ = dialect.request_id(&envelope, 7);
        let _ = dialect.rate_limit(&envelope);
        let account = AccountId::from(ACCOUNT);
        let request_id = manner.request_id.as_str();
        let context = DecodeContext { settings: &self.settings, account: &account, request_id, now: NOW };
        let Call { operation, region, token, dry_run } = match dialect.decode(&envelope, context) {
            Ok(call) => call,
            Err(failure) => return drop(dialect.fail(&failure, &manner)),
        };
        let (settings, rules) = (Arc::clone(&self.settings), dialect.rules());
        let caller = Caller { account, dialect: dialect.id(), region, rules, token, settings };
        let random = &mut self.random;
        // Knuth's MMIX generator: decisions only need numbers that differ.
        let mut entropy = || {
            *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *random
        };
        match decide(&self.view, &caller, &operation, NOW, &mut entropy) {
            Err(error) => drop(dialect.fail(&dialect.refuse(&envelope, &error), &manner)),
            Ok(_) if dry_run => drop(dialect.fail(&dialect.gate(&Gate::DryRun, &manner), &manner)),
            Ok(decision) => {
                if !decision.writes.is_empty() {
                    self.view.apply(&decision.writes);
                }
                let view = &self.view;
                let context =
                    EncodeContext { view, caller: &caller, envelope: &envelope, request_id, now: NOW };
                let _ = dialect.encode(&decision.outcome, context);
            }
        }
    }

    /// The data plane catches up: it carries what is wished and has let go what is deleted.
    pub fn settle(&mut self) {
        let writes: Vec<Write> = self.view.records().flat_map(|record| self.settled(record)).collect();
        if !writes.is_empty() {
            self.view.apply(&writes);
        }
    }

    fn settled(&self, record: &Record) -> Vec<Write> {
        let is_deleting = record.meta().is_some_and(|meta| meta.deleting);
        let children = |kind| self.view.children(record.key(), kind).map(|it| Write::Delete(it.key()));
        let mut changed = record.clone();
        match &mut changed {
            Record::Network(_) if is_deleting => children(Kind::Route)
                .chain(children(Kind::RouteTable))
                .chain([Write::Delete(record.key())])
                .collect(),
            Record::Gateway(it) if is_deleting => {
                vec![Write::Delete(it.order.key()), Write::Delete(record.key())]
            }
            _ if is_deleting => vec![Write::Delete(record.key())],
            Record::Network(it) => {
                let it = Arc::make_mut(it);
                it.observed_generation = it.meta.generation;
                vec![Write::Put(changed)]
            }
            Record::Subnet(it) => {
                let it = Arc::make_mut(it);
                it.observed_generation = it.meta.generation;
                vec![Write::Put(changed)]
            }
            Record::Gateway(it) if it.paid => {
                let it = Arc::make_mut(it);
                it.status.observed_generation = it.meta.generation;
                it.status.was_active = true;
                vec![Write::Put(changed)]
            }
            Record::Connection(it) => {
                let it = Arc::make_mut(it);
                it.status.observed_generation = it.meta.generation;
                it.status.was_active = true;
                vec![Write::Put(changed)]
            }
            _ => Vec::new(),
        }
    }

    /// Nothing hangs on something that is gone.
    ///
    /// # Panics
    /// When something does.
    pub fn check(&self) {
        for record in self.view.records() {
            for parent in record.parents() {
                assert!(
                    self.view.record(parent).is_some(),
                    "{} hangs on {parent}, which is gone",
                    record.key()
                );
            }
        }
    }
}
