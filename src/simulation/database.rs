//! What becomes of a commit, and the database and its model side by side.

use futures_util::FutureExt as _;
use tokio::sync::mpsc;

use super::installation::{at_once, kek};
use super::world::World;
use crate::change::Change;
use crate::rng::Rng;
use crate::store::simulated::Asked;
use crate::store::{CommitError, SealedStore, Statement, Store, StoreError};

/// What becomes of a commit.
#[derive(Clone, Copy)]
enum Fate {
    Good,
    Busy,
    /// It is done, and its node does not hear of it.
    DoneUnseen,
    NeverDone,
    /// It is done later, if ever.
    Lost,
}

impl World<'_> {
    pub(super) fn commit(
        &mut self,
        node: usize,
        statements: Vec<Statement>,
        changes: Vec<Change>,
    ) -> Result<(), CommitError> {
        let fate = match self.closing {
            true if std::mem::take(&mut self.breaks_next) => Fate::NeverDone,
            true => Fate::Good,
            false => self.dice.weighted(&[
                (92, Fate::Good),
                (1, Fate::Busy),
                (3, Fate::DoneUnseen),
                (2, Fate::NeverDone),
                (2, Fate::Lost),
            ]),
        };
        match fate {
            Fate::Good => {}
            Fate::Busy => self.tally.note("commit: the database is busy"),
            Fate::DoneUnseen => self.tally.note("commit: done unseen"),
            Fate::NeverDone => self.tally.note("commit: never done"),
            Fate::Lost => self.tally.note("commit: lost"),
        }
        let names = describe(&statements);
        let result = match fate {
            Fate::Good => self.write(&statements, &changes),
            Fate::Busy => Err(StoreError::Busy("simulated".into()).into()),
            Fate::DoneUnseen => {
                let _ = self.write(&statements, &changes);
                Err(CommitError::Unknown)
            }
            Fate::NeverDone => Err(CommitError::Unknown),
            Fate::Lost => {
                self.lose(node, statements, changes);
                Err(CommitError::Unknown)
            }
        };
        if matches!(result, Err(CommitError::Unknown)) {
            self.truth.unknown.push(self.history.steps());
        }
        let unseen = if matches!(fate, Fate::DoneUnseen) { " (it was done)" } else { "" };
        self.history.note(self.now, "commit", || {
            format!("node {node}: {names}: {}{unseen}", outcome(&result))
        });
        result
    }

    /// A commit that nobody interrupts.
    pub(super) fn commit_at_once(&mut self, changes: Vec<Change>) {
        let (asked, mut asking) = mpsc::unbounded_channel();
        let store = SealedStore::new(Store::simulated(asked), kek(), Rng::repeatable(1));
        let mut commit = std::pin::pin!(store.commit(self.now, changes));
        assert!(commit.as_mut().now_or_never().is_none(), "the store waits for the simulation");
        let Ok(Asked::Apply { statements, changes, .. }) = asking.try_recv() else {
            panic!("a commit asks for one thing")
        };
        self.write(&statements, &changes).expect("nobody interrupts");
    }

    /// Reads what is stored as the service reads it.
    pub(super) fn read_at_once<T>(
        &mut self,
        read: impl AsyncFnOnce(SealedStore) -> Result<T, StoreError>,
    ) -> T {
        let (asked, mut asking) = mpsc::unbounded_channel();
        let store = SealedStore::new(Store::simulated(asked), kek(), Rng::repeatable(1));
        let database = &mut self.installation.database;
        at_once(database, &mut asking, self.now, read(store)).expect("what we wrote can be read")
    }

    /// Writes to the database and to the model, which must agree; what is written must keep every
    /// invariant.
    pub(super) fn write(
        &mut self,
        statements: &[Statement],
        changes: &[Change],
    ) -> Result<(), CommitError> {
        let expected = self.model.conflict(changes);
        let result = self.installation.database.apply(statements.to_vec());
        if let Some(trace) = &mut self.trace {
            trace.applied(statements.to_vec(), result.clone());
        }
        match (&result, expected) {
            (Ok(()), None) => {
                self.check_commit(changes);
                self.note_commit(changes);
                self.model.write(changes, self.now, self.history.steps());
            }
            (Err(CommitError::Conflict { what }), Some(expected)) if *what == expected => {
                self.tally.note(format!("conflict: {what}"));
            }
            (result, expected) => panic!(
                "store: the database says {result:?}, the model expects {expected:?}: {changes:?}"
            ),
        }
        result
    }
}

/// The changes of a commit, each with how often it occurs.
fn describe(statements: &[Statement]) -> String {
    let mut names: Vec<(&str, usize)> = Vec::new();
    for statement in statements {
        match names.iter_mut().find(|(name, _)| *name == statement.what) {
            Some((_, count)) => *count += 1,
            None => names.push((statement.what, 1)),
        }
    }
    let name = |(name, count): &(&str, usize)| match count {
        1 => (*name).to_owned(),
        count => format!("{name}×{count}"),
    };
    names.iter().map(name).collect::<Vec<_>>().join(" ")
}

fn outcome(result: &Result<(), CommitError>) -> String {
    match result {
        Ok(()) => "done".to_owned(),
        Err(CommitError::Conflict { what }) => format!("conflict at {what}"),
        Err(CommitError::Unknown) => "nobody knows".to_owned(),
        Err(CommitError::Store(error)) => error.to_string(),
    }
}
