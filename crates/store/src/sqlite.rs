//! The embedded store: one SQLite file, which `sqlite3` can inspect.
//!
//! Table `records` holds number, kind, id, revision and JSON of every record; secrets inside the JSON are sealed.
//! Table `secrets` holds the service's own sealed texts by name; `counters` the numbers that never go back; `nonces`
//! those of requests that were carried out.

use std::fs::{File, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use causeway_model::{Key, Kind, Record, View, Write};
use futures_util::future::BoxFuture;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;
use tokio::sync::broadcast;

use crate::nonces::{self, Nonces, SpentNonce};
use crate::store::{Decider, Store, StoreError};
use crate::vault::{self, Vault};
use crate::writer::{Group, Sink, Writer};

/// The layout of the file. An older one is brought up to it; a later one is refused rather than misread.
const SCHEMA_VERSION: i64 = 2;
/// Records stand in the order of their making (tokens, which have no number, come first): what is made together is
/// written together, and its status is written where it was made. By their ids, which are random, every record would
/// dirty a page of its own.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS records (
        seq INTEGER NOT NULL, kind TEXT NOT NULL, id INTEGER NOT NULL, revision INTEGER NOT NULL,
        value TEXT NOT NULL, PRIMARY KEY (seq, kind, id)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, sealed TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
";
/// Names of counters: the revision of the newest commit, and the number of the next resource. What holds the highest
/// ones may have been deleted since.
const REVISION: &str = "revision";
const NEXT_SEQ: &str = "next-seq";
/// From layout 1, whose records stood in the order of kinds and ids.
const FROM_1: &str = "
    ALTER TABLE records RENAME TO records_1;
    CREATE TABLE records (
        seq INTEGER NOT NULL, kind TEXT NOT NULL, id INTEGER NOT NULL, revision INTEGER NOT NULL,
        value TEXT NOT NULL, PRIMARY KEY (seq, kind, id)) WITHOUT ROWID;
    INSERT INTO records
        SELECT coalesce(json_extract(value, '$.meta.seq'), 0), kind, id, revision, value FROM records_1;
    DROP TABLE records_1;
    PRAGMA user_version = 2;
";
/// Pages of the log at which it is written back; more of them means that a page is written back less often.
const LOG_PAGES: i64 = 4_000;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        StoreError::Failed(error.to_string())
    }
}

/// See the module.
pub struct SqliteStore {
    writer: Writer,
    vault: Arc<Vault>,
    /// A second connection, for the table `secrets`, which the writer does not use, and for reading.
    beside: Mutex<Connection>,
    /// Locked as long as this store is open: two processes would each decide on a snapshot of their own.
    _lock: File,
}

impl SqliteStore {
    /// Opens the store in a directory, or makes it. The directory holds `store.sqlite`, `key` and `lock`.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process has it open; when the files can't be read, made or opened with the key file.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| StoreError::Failed(format!("{}: {error}", dir.display()));
        // Records name customers and addresses: they are the owner's alone, as the sealed secrets are.
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
        nobody_else_writes(dir)?;
        let lock =
            File::options().append(true).create(true).mode(0o600).open(dir.join("lock")).map_err(failed)?;
        lock.try_lock().map_err(|_| StoreError::InUse(dir.display().to_string()))?;
        let (path, key) = (dir.join("store.sqlite"), dir.join("key"));
        if path.exists() && !key.exists() {
            // A new key would open nothing of what is there.
            let text = format!("{} is missing: without it the store's secrets can't be read", key.display());
            return Err(StoreError::Failed(text));
        }
        let vault = Arc::new(Vault::open(&key).map_err(failed)?);
        // SQLite gives its journals the permissions of the file that it finds.
        File::options().append(true).create(true).mode(0o600).open(&path).map_err(failed)?;
        for file in [&key, &path] {
            // Brought back from a backup, perhaps, with those of other files.
            std::fs::set_permissions(file, Permissions::from_mode(0o600)).map_err(failed)?;
        }
        let of_file = |error: StoreError| match error {
            StoreError::Failed(what) => StoreError::Failed(format!("{}: {what}", path.display())),
            other => other,
        };
        let connection = connect(&path).map_err(of_file)?;
        let view = load(&connection, &vault).map_err(of_file)?;
        let beside = Mutex::new(connect(&path).map_err(of_file)?);
        let committer = Committer { connection, vault: Arc::clone(&vault), nonces: Nonces::default() };
        let writer = Writer::start(view, committer)?;
        Ok(Self { writer, vault, beside, _lock: lock })
    }

    /// A text of the service's own that is kept sealed, such as the development key.
    ///
    /// # Errors
    /// When the store fails, or the text can't be opened.
    pub fn secret(&self, name: &str) -> Result<Option<String>, StoreError> {
        let connection = self.beside.lock().unwrap_or_else(PoisonError::into_inner);
        let sealed: Option<String> = connection
            .query_row("SELECT sealed FROM secrets WHERE name = ?1", [name], |row| row.get(0))
            .optional()?;
        sealed
            .map(|sealed| {
                self.vault.open_text(name, &sealed).ok_or_else(|| StoreError::Sealed(name.to_owned()))
            })
            .transpose()
    }

    /// Keeps a text of the service's own.
    ///
    /// # Errors
    /// When the store fails.
    pub fn set_secret(&self, name: &str, text: &str) -> Result<(), StoreError> {
        let sealed = self.vault.seal(name, text).ok_or_else(|| StoreError::Sealed(name.to_owned()))?;
        let connection = self.beside.lock().unwrap_or_else(PoisonError::into_inner);
        connection.execute("INSERT OR REPLACE INTO secrets VALUES (?1, ?2)", [name, &sealed])?;
        Ok(())
    }
}

impl Store for SqliteStore {
    fn view(&self) -> Arc<View> {
        self.writer.view()
    }

    fn transact(
        &self,
        decider: Decider,
        nonce: Option<SpentNonce>,
    ) -> BoxFuture<'_, Result<Arc<View>, StoreError>> {
        self.writer.transact(decider, nonce)
    }

    fn spent_nonces(&self, now_s: i64) -> Result<Vec<SpentNonce>, StoreError> {
        nonces::read(&self.beside.lock().unwrap_or_else(PoisonError::into_inner), now_s)
    }

    fn health(&self) -> Result<(), StoreError> {
        self.writer.health().check()
    }

    fn ended(&self) -> BoxFuture<'static, ()> {
        Box::pin(self.writer.health().clone().ended())
    }

    fn watch(&self) -> broadcast::Receiver<Arc<[Key]>> {
        self.writer.watch()
    }
}

/// Refuses a directory in which others could put files of theirs in place of the store's.
fn nobody_else_writes(dir: &Path) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| StoreError::Failed(format!("{}: {error}", dir.display()));
    let mode = std::fs::metadata(dir).map_err(failed)?.permissions().mode() & 0o7777;
    // Its group may: on many systems everybody has one of their own, and directories are made for it.
    if mode & 0o002 == 0 {
        return Ok(());
    }
    let dir = dir.display();
    let text =
        format!("everybody may write to {dir} (mode {mode:o}): choose another directory, or chmod o-w {dir}");
    Err(StoreError::Failed(text))
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 1 {
        connection.execute_batch(&format!("BEGIN IMMEDIATE; {FROM_1} COMMIT;"))?;
    } else if version != 0 && version != SCHEMA_VERSION {
        let text = format!("it has layout {version}, and this program knows {SCHEMA_VERSION} and older ones");
        return Err(StoreError::Failed(text));
    }
    connection.execute_batch(SCHEMA)?;
    connection.execute_batch(nonces::SCHEMA)?;
    connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    Ok(connection)
}

fn load(connection: &Connection, vault: &Vault) -> Result<View, StoreError> {
    let mut statement = connection.prepare("SELECT kind, id, value, revision FROM records")?;
    let mut rows = statement.query([])?;
    let mut records = Vec::new();
    // A file that was written before there were counters has its records only.
    let mut newest = counter(connection, REVISION)?;
    while let Some(row) = rows.next()? {
        let (kind, id, value): (String, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        newest = newest.max(row.get::<_, i64>(3)?.cast_unsigned());
        records.push(read_record(vault, &kind, id.cast_unsigned(), &value)?);
    }
    // In order of creation, so that the lists grow at their ends.
    records.sort_by_key(seq);
    Ok(View::restored(newest, counter(connection, NEXT_SEQ)?, records))
}

fn counter(connection: &Connection, name: &str) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached("SELECT value FROM counters WHERE name = ?1")?;
    let value: Option<i64> = statement.query_row([name], |row| row.get(0)).optional()?;
    Ok(value.unwrap_or_default().cast_unsigned())
}

fn read_record(vault: &Vault, kind: &str, id: u64, value: &str) -> Result<Record, StoreError> {
    let unreadable =
        |what: &str| StoreError::Failed(format!("a record of kind {kind} can't be read: {what}"));
    let known = Kind::from_word(kind).ok_or_else(|| unreadable("unknown kind"))?;
    let json = if vault::may_hold_secrets(value) {
        let mut tree: Value = serde_json::from_str(value).map_err(|error| unreadable(&error.to_string()))?;
        let key = Key { kind: known, id };
        vault.open_tree(&key.to_string(), &mut tree).ok_or_else(|| StoreError::Sealed(kind.to_owned()))?;
        tree.to_string()
    } else {
        value.to_owned()
    };
    Record::from_json(known, json.as_bytes()).map_err(|error| unreadable(&error.to_string()))
}

/// Where a record stands in the file. It is the same for the record's whole life.
fn seq(record: &Record) -> u64 {
    record.meta().map_or(0, |meta| meta.seq)
}

struct Committer {
    connection: Connection,
    vault: Arc<Vault>,
    nonces: Nonces,
}

/// A record as it is written: its place and its text; or nothing, when it is removed.
type Row = (Key, Option<(u64, String)>);

impl Committer {
    fn text(&self, record: &Record) -> Result<String, StoreError> {
        let failed = |error: serde_json::Error| StoreError::Failed(error.to_string());
        let key = record.key();
        let json = String::from_utf8(record.to_json().map_err(failed)?)
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        if !vault::may_hold_secrets(&json) {
            return Ok(json);
        }
        let mut tree: Value = serde_json::from_str(&json).map_err(failed)?;
        self.vault
            .seal_tree(&key.to_string(), &mut tree)
            .ok_or_else(|| StoreError::Sealed(key.to_string()))?;
        Ok(tree.to_string())
    }
}

impl Sink for Committer {
    fn commit(&mut self, group: &Group<'_>) -> Result<(), StoreError> {
        // Of several writes of one record in a group only the last counts.
        let mut last = std::collections::HashMap::with_capacity(group.writes.len());
        for write in group.writes {
            last.insert(write.key(), write);
        }
        let rows = last
            .into_iter()
            .map(|(key, write)| match write {
                Write::Put(record) => Ok((key, Some((seq(record), self.text(record)?)))),
                Write::Delete(_) => Ok((key, None)),
            })
            .collect::<Result<Vec<Row>, StoreError>>()?;
        let transaction = self.connection.transaction()?;
        if !rows.is_empty() {
            write_rows(&transaction, group, &rows)?;
        }
        self.nonces.add(&transaction, group.nonces)?;
        transaction.commit()?;
        Ok(())
    }
}

fn write_rows(connection: &Connection, group: &Group<'_>, rows: &[Row]) -> Result<(), StoreError> {
    let mut put = connection.prepare_cached("INSERT OR REPLACE INTO records VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let mut delete =
        connection.prepare_cached("DELETE FROM records WHERE seq = ?1 AND kind = ?2 AND id = ?3")?;
    // SQLite integers are signed; the bits are kept.
    let revision = group.after.revision().cast_signed();
    for (key, row) in rows {
        let (word, id) = (key.kind.word(), key.id.cast_signed());
        match row {
            Some((seq, text)) => {
                put.execute(params![seq.cast_signed(), word, id, revision, text])?;
            }
            // What was made in this group is not in the file.
            None => {
                if let Some(record) = group.before.record(*key) {
                    delete.execute(params![seq(record).cast_signed(), word, id])?;
                }
            }
        }
    }
    let mut count = connection.prepare_cached("INSERT OR REPLACE INTO counters VALUES (?1, ?2)")?;
    count.execute(params![REVISION, revision])?;
    count.execute(params![NEXT_SEQ, group.after.next_seq().cast_signed()])?;
    Ok(())
}
