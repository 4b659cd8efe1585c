//! A checkpoint: nobody acts, and what the server says of stream, groups and consumers is compared
//! with what the consumers have seen, and with itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use redis::{Connection, Value, cmd};

use super::ledger::Id;
use super::replies::{entries, fields, id_of, members, number, text};
use super::{GROUPS, KEY, Soak, group_name};

/// More than can be pending.
const ALL: usize = 1_000_000_000;

impl Soak {
    /// Holds everybody and compares everything.
    pub fn check(&self, connection: &mut Connection) {
        let _held = self.gate.write().unwrap();
        self.wait_for_the_dead(connection);
        self.check_stream(connection);
        let infos: Value = cmd("XINFO")
            .arg("GROUPS")
            .arg(KEY)
            .query(connection)
            .unwrap();
        let infos = members(&infos);
        assert_eq!(infos.len(), GROUPS);
        for (group, info) in infos.iter().enumerate() {
            self.check_group(connection, group, &fields(info));
        }
    }

    /// What the killed have sent is carried out before their connections are gone.
    fn wait_for_the_dead(&self, connection: &mut Connection) {
        for _ in 0..1_000_000 {
            let open = self.open.load(Ordering::Relaxed);
            let info: String = cmd("INFO").arg("clients").query(connection).unwrap();
            let connected = info
                .lines()
                .find_map(|line| line.strip_prefix("connected_clients:")?.parse().ok());
            if connected == Some(open) {
                return;
            }
        }
        panic!("a connection that was closed stays open");
    }

    fn check_stream(&self, connection: &mut Connection) {
        let info: Value = cmd("XINFO")
            .arg("STREAM")
            .arg(KEY)
            .query(connection)
            .unwrap();
        let info = fields(&info);
        let added = self.added();
        assert_eq!(number(&info["length"]), added);
        assert_eq!(number(&info["entries-added"]), added);
        assert_eq!(number(&info["groups"]), GROUPS);
        let last = *self.last_id.lock().unwrap();
        assert_eq!(id_of(&text(&info["last-generated-id"])), last);
        let len: usize = cmd("XLEN").arg(KEY).query(connection).unwrap();
        assert_eq!(len, added);
    }

    fn check_group(
        &self,
        connection: &mut Connection,
        group: usize,
        info: &BTreeMap<String, Value>,
    ) {
        let name = group_name(group);
        assert_eq!(text(&info["name"]), name);
        let mut list = cmd("XPENDING");
        list.arg(KEY).arg(&name).arg("-").arg("+").arg(ALL);
        let listed: Value = list.query(connection).unwrap();
        let mut ids: BTreeSet<Id> = BTreeSet::new();
        let mut owners: BTreeMap<String, usize> = BTreeMap::new();
        for item in members(&listed) {
            let [id, owner, _idle, deliveries] = members(item) else {
                panic!("{item:?}");
            };
            assert!(ids.insert(id_of(&text(id))), "{item:?} is listed twice");
            assert!(number(deliveries) >= 1, "{item:?}");
            *owners.entry(text(owner)).or_default() += 1;
        }
        let now = self.moment();
        let mut ledger = self.ledgers[group].lock().unwrap();
        ledger.compare(&ids, now, |id| number_of(connection, id));
        let (delivered, added) = (ledger.delivered_len(), self.added());
        drop(ledger);
        assert_eq!(number(&info["pending"]), ids.len());
        assert_eq!(number(&info["entries-read"]), delivered);
        assert_eq!(number(&info["lag"]), added - delivered);
        check_summary(connection, &name, &ids, &owners);
        check_consumers(connection, &name, &owners, number(&info["consumers"]));
    }
}

/// The number of an entry that is looked up by its id.
fn number_of(connection: &mut Connection, id: Id) -> usize {
    let id = format!("{}-{}", id.0, id.1);
    let found: Value = cmd("XRANGE")
        .arg(KEY)
        .arg(&id)
        .arg(&id)
        .query(connection)
        .unwrap();
    entries(&found)[0].number
}

fn check_summary(
    connection: &mut Connection,
    group: &str,
    ids: &BTreeSet<Id>,
    owners: &BTreeMap<String, usize>,
) {
    let summary: Value = cmd("XPENDING")
        .arg(KEY)
        .arg(group)
        .query(connection)
        .unwrap();
    let [count, first, last, counts] = members(&summary) else {
        panic!("{summary:?}");
    };
    assert_eq!(number(count), ids.len());
    if let (Some(lowest), Some(highest)) = (ids.first(), ids.last()) {
        assert_eq!(id_of(&text(first)), *lowest);
        assert_eq!(id_of(&text(last)), *highest);
    }
    let counts: BTreeMap<String, usize> = members(counts)
        .iter()
        .map(|pair| (text(&members(pair)[0]), number(&members(pair)[1])))
        .collect();
    assert_eq!(counts, *owners);
}

/// Compares the consumers, and forgets those of the dead who hold nothing.
fn check_consumers(
    connection: &mut Connection,
    group: &str,
    owners: &BTreeMap<String, usize>,
    expected: usize,
) {
    let mut list = cmd("XINFO");
    list.arg("CONSUMERS").arg(KEY).arg(group);
    let listed: Value = list.query(connection).unwrap();
    assert_eq!(members(&listed).len(), expected);
    let mut holding = BTreeMap::new();
    for info in members(&listed) {
        let info = fields(info);
        let (name, pending) = (text(&info["name"]), number(&info["pending"]));
        if pending > 0 {
            holding.insert(name, pending);
            continue;
        }
        let mut forget = cmd("XGROUP");
        forget.arg("DELCONSUMER").arg(KEY).arg(group).arg(&name);
        let dropped: usize = forget.query(connection).unwrap();
        assert_eq!(dropped, 0, "{name} held nothing");
    }
    assert_eq!(holding, *owners);
}
