//! Each store keeps the contract; the embedded one also survives being reopened and keeps secrets sealed.

use std::os::unix::fs::PermissionsExt;

use causeway_model::fixtures::{gateway, meta};
use causeway_model::{CustomerGateway, CustomerGatewayId, GatewayId, Secret, Write};
use causeway_store::{
    MemoryStore, SpentNonce, SqliteStore, Store, StoreError, contract, transact, transact_spending,
};

#[tokio::test]
async fn memory_store_keeps_the_contract() {
    contract::run(|| MemoryStore::new().unwrap()).await;
}

#[tokio::test]
async fn sqlite_store_keeps_the_contract() {
    let dirs = std::cell::RefCell::new(Vec::new());
    contract::run(|| {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path()).unwrap();
        dirs.borrow_mut().push(dir);
        store
    })
    .await;
}

fn peer(psk: &str) -> CustomerGateway {
    CustomerGateway {
        id: CustomerGatewayId(u64::MAX),
        meta: meta(3, "cgw"),
        ip: [203, 0, 113, 7].into(),
        asn: Some(65_000),
        bgp_key: Some(Secret::new(psk)),
    }
}

#[tokio::test]
async fn a_reopened_store_has_everything_and_its_file_shows_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    store.set_secret("development-key", "tops3cret").unwrap();
    let writes = vec![Write::Put(gateway(1).into()), Write::Put(peer("hunter2").into())];
    transact(&store, move |_| (writes.clone(), ())).await.unwrap();
    transact(&store, |_| (vec![Write::Delete(GatewayId(1).key())], ())).await.unwrap();
    transact(&store, |_| (vec![Write::Put(gateway(2).into())], ())).await.unwrap();
    drop(store);
    let store = SqliteStore::open(dir.path()).unwrap();
    let second = SqliteStore::open(dir.path());
    assert!(matches!(second, Err(StoreError::InUse(_))), "one process at a time");
    let view = store.view();
    assert_eq!(view.len(), 2);
    assert_eq!(**view.gateway(GatewayId(2)).unwrap(), gateway(2));
    assert_eq!(**view.customer_gateway(CustomerGatewayId(u64::MAX)).unwrap(), peer("hunter2"));
    assert_eq!(store.secret("development-key").unwrap().as_deref(), Some("tops3cret"));
    assert_eq!(store.secret("another").unwrap(), None);
    drop(store);
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
        let bytes = std::fs::read(entry.path()).unwrap();
        for secret in ["hunter2", "tops3cret"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
        }
    }
    std::fs::write(dir.path().join("key"), [0; 32]).unwrap();
    assert!(SqliteStore::open(dir.path()).is_err(), "another key file opens nothing");
}

#[tokio::test]
async fn a_store_of_the_first_layout_is_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(dir.path()).unwrap());
    let file = rusqlite::Connection::open(dir.path().join("store.sqlite")).unwrap();
    let old = "DROP TABLE records; CREATE TABLE records (
        kind TEXT NOT NULL, id INTEGER NOT NULL, revision INTEGER NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (kind, id)) WITHOUT ROWID; PRAGMA user_version = 1;";
    file.execute_batch(old).unwrap();
    let token = causeway_model::Token {
        id: causeway_model::TokenId(9),
        scope: "scope".into(),
        fingerprint: Secret::new("1"),
        subject: GatewayId(2).key(),
        used: causeway_model::Millis(0),
    };
    let text = |json: Vec<u8>| String::from_utf8(json).unwrap();
    for (kind, id, value) in [
        ("gateway", 1, causeway_model::Record::from(gateway(1)).to_json().unwrap()),
        ("gateway", 2, causeway_model::Record::from(gateway(2)).to_json().unwrap()),
        ("token", 9, causeway_model::Record::from(token).to_json().unwrap()),
    ] {
        let row = rusqlite::params![kind, id, 7, text(value)];
        file.execute("INSERT INTO records VALUES (?1, ?2, ?3, ?4)", row).unwrap();
    }
    drop(file);
    for _ in 0..2 {
        let store = SqliteStore::open(dir.path()).unwrap();
        let view = store.view();
        assert_eq!((view.len(), view.gateway(GatewayId(2)).map(|it| it.meta.seq)), (3, Some(2)));
        assert!(view.revision() >= 7);
    }
    let store = SqliteStore::open(dir.path()).unwrap();
    transact(&store, |_| (vec![Write::Delete(GatewayId(1).key())], ())).await.unwrap();
    transact(&store, |_| (vec![Write::Delete(causeway_model::TokenId(9).key())], ())).await.unwrap();
    drop(store);
    assert_eq!(SqliteStore::open(dir.path()).unwrap().view().len(), 1);
}

#[tokio::test]
async fn what_is_made_and_removed_at_once_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    let both = |_: &_| (vec![Write::Put(gateway(1).into()), Write::Delete(GatewayId(1).key())], ());
    transact(&store, both).await.unwrap();
    assert!(store.view().is_empty());
    drop(store);
    assert!(SqliteStore::open(dir.path()).unwrap().view().is_empty());
}

#[tokio::test]
async fn revisions_grow_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = 0;
    for n in 1..=3 {
        let store = SqliteStore::open(dir.path()).unwrap();
        assert_eq!(store.view().revision(), last, "as it was when the store was closed");
        let put = move |_: &_| (vec![Write::Put(gateway(n).into())], ());
        let (_, view) = transact(&store, put).await.unwrap();
        assert!(view.revision() > last);
        last = view.revision();
    }
}

#[tokio::test]
async fn what_grows_over_restarts_does_not_go_back_when_all_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let spent = SpentNonce { mark: [7; 16], taken_s: 1_000, until_s: 1_900 };
    let store = SqliteStore::open(dir.path()).unwrap();
    transact(&store, |_| (vec![Write::Put(gateway(41).into())], ())).await.unwrap();
    let delete = |_: &_| (vec![Write::Delete(GatewayId(41).key())], ());
    let (_, view) = transact_spending(&store, Some(spent), delete).await.unwrap();
    let before = (view.revision(), view.next_seq(), view.len());
    drop(store);
    let store = SqliteStore::open(dir.path()).unwrap();
    let view = store.view();
    assert_eq!((view.revision(), view.next_seq(), view.len()), before);
    assert_eq!(store.spent_nonces(1_000).unwrap(), [spent]);
}

#[tokio::test]
async fn what_a_store_makes_is_for_its_owner_only() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("data");
    let store = SqliteStore::open(&dir).unwrap();
    transact(&store, |_| (vec![Write::Put(gateway(1).into())], ())).await.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let files: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 4, "the store, its log, the key, the lock: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn permissions_that_a_backup_lost_are_set_again() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("data");
    drop(SqliteStore::open(&dir).unwrap());
    let set = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let files = [dir.join("key"), dir.join("store.sqlite")];
    files.iter().for_each(|file| set(file, 0o644));
    drop(SqliteStore::open(&dir).unwrap());
    for file in files {
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    set(&dir, 0o777);
    let refused = SqliteStore::open(&dir).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("everybody may write to") && refused.contains("777"), "{refused}");
}

#[test]
fn a_store_without_its_key_gets_no_new_one() {
    let dir = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(dir.path()).unwrap());
    std::fs::remove_file(dir.path().join("key")).unwrap();
    assert!(SqliteStore::open(dir.path()).is_err());
    assert!(!dir.path().join("key").exists());
}

#[tokio::test]
async fn an_owners_tags_can_not_look_like_a_sealed_secret() {
    let dir = tempfile::tempdir().unwrap();
    let mut tagged = peer("hunter2");
    tagged.meta.tags = [("$sealed".to_owned(), "x".to_owned())].into();
    let store = SqliteStore::open(dir.path()).unwrap();
    let write = Write::Put(tagged.clone().into());
    transact(&store, move |_| (vec![write.clone()], ())).await.unwrap();
    drop(store);
    let store = SqliteStore::open(dir.path()).expect("it still opens");
    assert_eq!(**store.view().customer_gateway(tagged.id).unwrap(), tagged);
}
