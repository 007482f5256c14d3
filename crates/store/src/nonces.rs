//! Nonces of requests that were carried out: kept with what the requests wrote, so that none is carried out again by a
//! service that starts later.

use rusqlite::{Connection, params};

use crate::store::StoreError;

/// Seconds after which those that are over are looked for again.
const PRUNE_EVERY_S: i64 = 10;

/// A nonce that is used up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpentNonce {
    /// What stands for it and whose it is: a digest, made by who takes the nonces.
    pub mark: [u8; 16],
    /// When it was taken, in seconds since the epoch.
    pub taken_s: i64,
    /// The last second at which its request would be acceptable.
    pub until_s: i64,
}

/// The nonces in the file, in the order in which they were taken: adding one touches the last page only, and those
/// that are over stand at the front.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS nonces (
        place INTEGER PRIMARY KEY, mark BLOB NOT NULL, taken_s INTEGER NOT NULL, until_s INTEGER NOT NULL);
";

/// Those that are not over.
pub(crate) fn read(connection: &Connection, now_s: i64) -> Result<Vec<SpentNonce>, StoreError> {
    let mut statement =
        connection.prepare("SELECT mark, taken_s, until_s FROM nonces WHERE until_s >= ?1")?;
    let rows = statement.query_map([now_s], |row| {
        Ok(SpentNonce { mark: row.get(0)?, taken_s: row.get(1)?, until_s: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Writes nonces, and forgets from time to time those that are over.
#[derive(Default)]
pub(crate) struct Nonces {
    pruned_s: i64,
}

impl Nonces {
    /// Adds nonces; the connection has a transaction open.
    pub fn add(&mut self, connection: &Connection, spent: &[SpentNonce]) -> Result<(), StoreError> {
        let Some(now_s) = spent.iter().map(|nonce| nonce.taken_s).max() else { return Ok(()) };
        let mut insert =
            connection.prepare_cached("INSERT INTO nonces (mark, taken_s, until_s) VALUES (?1, ?2, ?3)")?;
        for nonce in spent {
            insert.execute(params![nonce.mark, nonce.taken_s, nonce.until_s])?;
        }
        if now_s.abs_diff(self.pruned_s) >= PRUNE_EVERY_S.unsigned_abs() {
            self.pruned_s = now_s;
            prune(connection, now_s)?;
        }
        Ok(())
    }
}

/// Deletes from the front as far as all are over: no more is looked at than is deleted.
fn prune(connection: &Connection, now_s: i64) -> Result<(), StoreError> {
    let delete = "DELETE FROM nonces WHERE place < coalesce(
        (SELECT place FROM nonces WHERE until_s >= ?1 ORDER BY place LIMIT 1), 0)";
    connection.prepare_cached(delete)?.execute([now_s])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(at_s: i64, until_s: i64) -> SpentNonce {
        SpentNonce { mark: [at_s as u8; 16], taken_s: at_s, until_s }
    }

    #[test]
    fn what_is_over_is_forgotten_and_nothing_else() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let mut nonces = Nonces::default();
        let kept = |now_s: i64| -> Vec<i64> {
            read(&connection, now_s).unwrap().iter().map(|nonce| nonce.taken_s).collect()
        };
        let rows = || connection.query_row("SELECT count(*) FROM nonces", [], |row| row.get::<_, i64>(0));
        nonces.add(&connection, &[taken(1_000, 1_900), taken(1_001, 1_950)]).unwrap();
        nonces.add(&connection, &[taken(1_002, 1_902)]).unwrap();
        assert_eq!(kept(1_900), [1_000, 1_001, 1_002], "to the last second");
        assert_eq!((kept(1_901), rows().unwrap()), (vec![1_001, 1_002], 3));
        nonces.add(&connection, &[taken(1_901, 2_801)]).unwrap();
        assert_eq!(rows().unwrap(), 3);
        // Too soon to look again; then all that are over go, whatever their order.
        nonces.add(&connection, &[taken(1_905, 2_805)]).unwrap();
        nonces.add(&connection, &[taken(1_960, 2_860)]).unwrap();
        assert_eq!((kept(0), rows().unwrap()), (vec![1_901, 1_905, 1_960], 3));
    }
}
