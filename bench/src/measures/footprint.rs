//! What it takes to be there at all.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::{Bench, millis, say};
use crate::base::{Base, Kind};
use crate::clients::{self, SignIn};
use crate::limits::argon::Cost;
use crate::service::Service;
use crate::table::{Row, Target, Unit};

const USERS: u32 = 1000;

/// How long nobody asks for anything before it counts as idle: what start-up took is given back by then.
const IDLE: Duration = Duration::from_secs(15);

pub(super) fn measure(bench: &Bench, kind: &Kind) -> Result<Vec<Row>> {
    let (mut empty, mut existing) = (Vec::new(), Vec::new());
    let (mut idle, mut loaded) = (Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        let folder = tempfile::tempdir_in(bench.folder())?;
        let base = Base::create(kind, folder.path())?;
        let start = || Service::start(&bench.binary, folder.path(), &base.url, &[]);
        empty.push(millis(start()?.ready_after));

        let service = start()?;
        existing.push(millis(service.ready_after));
        service.settle()?;
        sleep(IDLE);
        idle.push(service.memory()?);
        drop(service);

        let stage = bench.start(kind, USERS, Cost::DEFAULT)?;
        bench.drive(&stage.service, &mut SignIn::many(32, 0..USERS))?;
        let sessions = clients::open_sessions(stage.service.address, 0..32)?;
        bench.drive(&stage.service, &mut clients::me(32, &sessions))?;
        bench.drive(&stage.service, &mut clients::refresh(32, &sessions))?;
        loaded.push(stage.service.most_memory()?);
        say(&format!(
            "ready after {empty:.0?} and {existing:.0?} ms; {idle:.1?} and {loaded:.1?} MiB"
        ));
    }
    let (name, ms, mib) = (kind.name(), Unit::Milliseconds, Unit::Mebibytes);
    let mut rows = vec![
        Row::value("ready on an existing database", name, ms, &existing, Target::Below(300.0)),
        Row::value("ready on an empty one", name, ms, &empty, Target::Below(1000.0)),
        Row::value("memory when idle", name, mib, &idle, Target::Below(40.0)),
        Row::value("most memory under load", name, mib, &loaded, Target::None),
    ];
    if *kind == Kind::Sqlite {
        #[expect(clippy::cast_precision_loss, reason = "a file of some megabytes")]
        let size = std::fs::metadata(&bench.binary)?.len() as f64 / f64::from(1 << 20);
        rows.push(Row::value("the program itself", "–", mib, &[size], Target::Below(30.0)));
    }
    Ok(rows)
}
