//! What keeps mail from leaving: who has to be told, and once.

use super::super::breaker::{Breaker, Note};
use super::super::reply::{Failure, Step};
use super::super::sql::Row;
use super::super::timeline::State;
use super::super::way::Lane;
use super::Post;
use crate::kernel::Timestamp;

impl Post {
    /// Takes what has to be written down as incidents.
    pub(in crate::mail) fn notes(&self) -> Vec<(&'static str, Note)> {
        std::mem::take(&mut *self.0.notes.lock().expect("nobody panics while taking them"))
    }

    /// Waits until something has to be written down; what came while nobody waited counts.
    pub(in crate::mail) async fn noted(&self) {
        self.0.noted.notified().await;
    }

    /// What was to be written down of a way could not be: it is said again when it is so again.
    pub(in crate::mail) fn untold(&self, name: &'static str) {
        let lanes = self.lanes().iter().filter(|lane| lane.name == name);
        lanes.for_each(|lane| lane.breaker(Breaker::untold));
    }

    fn note(&self, lane: &Lane, note: Option<Note>) {
        if let Some(note) = note {
            let mut notes = self.0.notes.lock().expect("nobody panics while leaving one");
            notes.push((lane.name, note));
            self.0.noted.notify_one();
        }
    }

    /// Takes note of a failure: of the message, or of all mail. What an operator has to mend is
    /// said once, not once per message.
    pub(super) fn failed(
        &self,
        row: &Row,
        lane: Option<&Lane>,
        failure: &Failure,
        state: State,
        now: Timestamp,
    ) {
        let provider = lane.map_or("file", |lane| lane.name);
        self.0.observer.attempt(provider, Some(failure.class));
        let (step, class, code) = (failure.step, failure.class.as_str(), failure.code);
        if state == State::Failed {
            tracing::warn!(mail = %row.id, kind = row.kind, %step, class, code, "mail failed");
        } else {
            tracing::debug!(mail = %row.id, kind = row.kind, %step, class, code, "mail waits");
        }
        let Some(lane) = lane else { return };
        if failure.concerns_all() || failure.advice.is_some() {
            self.troubled(lane, failure, now);
        } else if step > Step::Auth {
            let mended = lane.breaker(Breaker::reached);
            self.tell_mended(lane, mended);
        }
    }

    pub(super) fn troubled(&self, lane: &Lane, failure: &Failure, now: Timestamp) {
        let (news, note) = lane.breaker(|breaker| breaker.failed(failure, now));
        self.note(lane, note);
        if !news {
            return;
        }
        // An answer to a recipient names them; the row has it, the log does not need it.
        let reply = if failure.concerns_all() { failure.reply.as_str() } else { "" };
        let transport = lane.way.to_string();
        let advice = failure.advice.unwrap_or("the relay cannot be used");
        let (step, class, code) = (failure.step, failure.class.as_str(), failure.code);
        tracing::error!(
            transport, %step, class, code, reply, "mail is held back, none is lost: {advice}"
        );
    }

    /// Takes note that a way can be used.
    pub(super) fn mended(&self, lane: &Lane) {
        let mended = lane.breaker(Breaker::mended);
        self.tell_mended(lane, mended);
    }

    fn tell_mended(&self, lane: &Lane, (was_trouble, note): (bool, Option<Note>)) {
        self.note(lane, note);
        if was_trouble {
            tracing::info!(provider = lane.name, "mail leaves again");
        }
    }
}
