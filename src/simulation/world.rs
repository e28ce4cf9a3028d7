//! The world of one run: nodes, the database between them, and the scheduler that lets one thing
//! happen at a time.

use std::time::Duration;

use tokio::sync::oneshot;

use super::dice::Dice;
use super::history::History;
use super::installation::{Installation, beginning};
use super::mail::Mail;
use super::model::Model;
use super::node::Node;
use super::parties::{BROWSERS, Browser, Tokens, Truth};
use super::tally::Tally;
use super::wish::{Running, Wish};
use crate::change::Change;
use crate::clock::Timestamp;
use crate::outbound::simulated::{Content, Posted};
use crate::outbound::{SendError, SoapAnswer};
use crate::store::simulated::Asked;
use crate::store::{Statement, StoreError};

const NODES: usize = 2;

pub(super) struct World<'i> {
    pub(super) dice: Dice,
    pub(super) history: History,
    pub(super) tally: Tally,
    pub(super) now: Timestamp,
    pub(super) installation: &'i mut Installation,
    nodes: Vec<Option<Node>>,
    pending: Vec<Pending>,
    pub(super) running: Vec<Running>,
    pub(super) model: Model,
    pub(super) truth: Truth,
    pub(super) browsers: Vec<Browser>,
    pub(super) tokens: Vec<Tokens>,
    pub(super) mail: Vec<Mail>,
    /// Nothing new is begun, and nothing fails any more.
    pub(super) closing: bool,
    /// The next commit is never done, and its node does not hear that.
    pub(super) breaks_next: bool,
    /// Apps that answer nobody any more.
    pub(super) dead_apps: Vec<usize>,
    /// Everything that was asked of the database, where it is to be compared.
    pub(super) trace: Option<super::trace::Trace>,
}

/// What a node waits for.
struct Pending {
    node: usize,
    operation: Operation,
}

enum Operation {
    Database(Asked),
    /// COMMIT was sent and the connection lost: it may still happen.
    Lost {
        statements: Vec<Statement>,
        changes: Vec<Change>,
    },
    /// A request to an app or an IdP, and since which step it is on its way.
    Post(Posted, u64),
}

impl<'i> World<'i> {
    pub(super) fn new(installation: &'i mut Installation, seed: u64, told: bool) -> Self {
        installation.database.forget_people();
        let mut dice = Dice::new(seed);
        let nodes = (0..NODES).map(|_| Some(Node::start(installation, dice.number()))).collect();
        Self {
            dice,
            history: History::new(told),
            tally: Tally::default(),
            now: beginning().plus(Duration::from_secs(1)),
            installation,
            nodes,
            pending: Vec::new(),
            running: Vec::new(),
            model: Model::default(),
            truth: Truth::default(),
            browsers: (0..BROWSERS).map(|_| Browser::default()).collect(),
            tokens: Vec::new(),
            mail: Vec::new(),
            closing: false,
            breaks_next: false,
            dead_apps: Vec::new(),
            trace: None,
        }
    }

    /// Lets one thing happen.
    pub(super) fn step(&mut self) {
        self.history.step();
        self.now = self.now.plus(Duration::from_millis(1));
        // Who is in the middle of something mostly goes on.
        if !self.pending.is_empty() && self.dice.percent(72) {
            let next = self.dice.below(self.pending.len());
            return self.carry_out(next);
        }
        if self.closing {
            return self.time_passes();
        }
        match self.dice.below(100) {
            0..60 if !self.mail.is_empty() => {
                // What has just come is mostly dealt with first.
                let next = match self.dice.percent(50) {
                    true => self.mail.len() - 1,
                    false => self.dice.below(self.mail.len()),
                };
                self.deliver(next);
            }
            0..83 => self.begin_something(),
            83..87 => self.ask(Wish::Work),
            87 => self.ask(Wish::Expire),
            88..93 => self.time_passes(),
            93..96 => self.crash_or_start(),
            96..98 => self.idp_begins_logout(),
            _ => self.stranger_tries(),
        }
    }

    /// Goes on until nobody waits for anything. What was begun may begin more.
    pub(super) fn run_quiet(&mut self) {
        let closing = std::mem::replace(&mut self.closing, true);
        for _ in 0..20_000 {
            if self.pending.is_empty() && self.running.is_empty() {
                self.closing = closing;
                return;
            }
            self.history.step();
            self.now = self.now.plus(Duration::from_millis(1));
            match self.pending.len() {
                0 => self.pass(Duration::from_millis(150)),
                some => {
                    let next = self.dice.below(some);
                    self.carry_out(next);
                }
            }
        }
        panic!("I9: somebody still waits after 20,000 steps: {:?}", self.running.first());
    }

    fn time_passes(&mut self) {
        const SECOND: u64 = 1_000;
        const HOUR: u64 = 3_600 * SECOND;
        let millis = self.dice.weighted(&[
            (60, 150),
            (10, 3 * SECOND),
            (8, 20 * SECOND),
            (8, 61 * SECOND),
            (8, 601 * SECOND),
            (3, 5 * HOUR),
            (2, 25 * HOUR),
            (1, 73 * HOUR),
        ]);
        self.pass(Duration::from_millis(millis));
    }

    pub(super) fn pass(&mut self, by: Duration) {
        self.now = self.now.plus(by);
        self.history.note(self.now, "time", || format!("{by:?} pass"));
        for number in 0..self.nodes.len() {
            if let Some(node) = &self.nodes[number] {
                node.time_passes(by);
            }
            self.collect(number);
        }
    }

    fn crash_or_start(&mut self) {
        let number = self.dice.below(NODES);
        if self.nodes[number].is_some() {
            self.history.note(self.now, "crash", || format!("node {number} dies"));
            self.tally.note("world: a node dies");
            self.nodes[number] = None;
            for running in self.running.extract_if(.., |running| running.node == number) {
                self.tally.note("world: a node dies with something under way");
                let what = || format!("{:?} is answered by nobody", running.wish);
                self.history.note(self.now, "crash", what);
            }
            // What the database has received it may still do.
            let mut kept = Vec::new();
            for pending in std::mem::take(&mut self.pending) {
                match pending {
                    Pending {
                        node,
                        operation: Operation::Database(Asked::Apply { statements, changes, .. }),
                    } if node == number => {
                        if self.dice.percent(50) {
                            kept.push(Pending {
                                node,
                                operation: Operation::Lost { statements, changes },
                            });
                        }
                    }
                    Pending { node, operation: Operation::Lost { .. } } => {
                        kept.push(Pending { node, ..pending });
                    }
                    pending if pending.node == number => {}
                    pending => kept.push(pending),
                }
            }
            self.pending = kept;
        } else {
            self.start(number);
        }
    }

    fn start(&mut self, number: usize) {
        self.history.note(self.now, "start", || format!("node {number}"));
        let seed = self.dice.number();
        self.nodes[number] = Some(Node::start(self.installation, seed));
    }

    /// A node that is up; one is started if none is.
    pub(super) fn some_node(&mut self) -> usize {
        let up: Vec<usize> = (0..NODES).filter(|number| self.nodes[*number].is_some()).collect();
        match up.as_slice() {
            [] => {
                let number = self.dice.below(NODES);
                self.start(number);
                number
            }
            up => self.dice.one_of(up),
        }
    }

    pub(super) fn node(&self, number: usize) -> &Node {
        self.nodes[number].as_ref().expect("a node that is up")
    }

    /// Lets a node go on until it waits for the world, and sees what it wants and what it is done with.
    pub(super) fn settle(&mut self, number: usize) {
        if let Some(node) = &self.nodes[number] {
            node.settle();
        }
        self.collect(number);
    }

    fn collect(&mut self, number: usize) {
        loop {
            let Some(node) = &mut self.nodes[number] else { return };
            let mut at_once = Vec::new();
            while let Ok(asked) = node.asking.try_recv() {
                match asked {
                    // What the time is, and which settings count: nothing of it changes in a run.
                    Asked::Select { queries, reply }
                        if queries.iter().all(|query| query.sql.contains("FROM setting ")) =>
                    {
                        at_once.push((queries, reply));
                    }
                    asked => {
                        let operation = Operation::Database(asked);
                        self.pending.push(Pending { node: number, operation });
                    }
                }
            }
            while let Ok(posted) = node.posting.try_recv() {
                let operation = Operation::Post(posted, self.history.steps());
                self.pending.push(Pending { node: number, operation });
            }
            if at_once.is_empty() {
                break;
            }
            for (queries, reply) in at_once {
                let _ = reply.send(self.installation.database.select(self.now, &queries));
            }
            node.settle();
        }
        self.hear(number);
    }

    /// Carries out the one thing that this node waits for and that is called so: a change, or a piece
    /// of SQL.
    pub(super) fn let_through(&mut self, node: usize, what: &str) {
        let is_it = |pending: &Pending| {
            pending.node == node
                && match &pending.operation {
                    Operation::Database(Asked::Select { queries, .. }) => {
                        queries.iter().any(|query| query.sql.contains(what))
                    }
                    Operation::Database(Asked::Apply { statements, .. }) => {
                        statements.iter().any(|statement| statement.what == what)
                    }
                    Operation::Lost { .. } | Operation::Post(..) => false,
                }
        };
        let found: Vec<usize> =
            (0..self.pending.len()).filter(|at| is_it(&self.pending[*at])).collect();
        let [only] = found.as_slice() else {
            panic!("node {node} waits {} times for {what}", found.len())
        };
        self.history.step();
        self.carry_out(*only);
    }

    /// The connection breaks while this node waits for this commit, which is never done.
    #[cfg(test)]
    pub(super) fn let_break(&mut self, node: usize, what: &str) {
        self.breaks_next = true;
        self.let_through(node, what);
    }

    fn carry_out(&mut self, next: usize) {
        let Pending { node, operation } = self.pending.swap_remove(next);
        match operation {
            Operation::Database(Asked::Select { queries, reply }) => {
                let result = match !self.closing && self.dice.percent(1) {
                    true => Err(StoreError::Busy("simulated".into())),
                    false => self.installation.database.select(self.now, &queries),
                };
                let first = queries.first().map_or("", |query| query.sql);
                self.history.note(self.now, "read", || {
                    let from = first.split("FROM ").nth(1).unwrap_or("time");
                    let failed = if result.is_err() { ", and fails" } else { "" };
                    let from: String = from.chars().take(60).collect();
                    format!("node {node}: {from}{failed}")
                });
                if let (Some(trace), Ok(snapshot)) = (&mut self.trace, &result) {
                    trace.selected(queries, snapshot.tables.clone());
                }
                let _ = reply.send(result);
            }
            Operation::Database(Asked::Apply { statements, changes, reply }) => {
                let result = self.commit(node, statements, changes);
                let _ = reply.send(result);
            }
            Operation::Lost { statements, changes } => {
                if self.dice.percent(50) {
                    let result = self.write(&statements, &changes);
                    self.tally.note("commit: done when its node has given up");
                    let what = || format!("what node {node} lost comes to {result:?}");
                    self.history.note(self.now, "lost", what);
                }
                return;
            }
            Operation::Post(posted, since) => self.carry_post(node, posted, since),
        }
        self.settle(node);
    }

    /// The connection is lost with this under way.
    pub(super) fn lose(&mut self, node: usize, statements: Vec<Statement>, changes: Vec<Change>) {
        let operation = Operation::Lost { statements, changes };
        self.pending.push(Pending { node, operation });
    }

    /// A request to an app or an IdP arrives, or does not, or its answer does not.
    fn carry_post(&mut self, node: usize, posted: Posted, since: u64) {
        let host = posted.url.host_str().unwrap_or_default().to_owned();
        let number = |prefix: &str| -> Option<usize> {
            host.strip_prefix(prefix)?.strip_suffix(".test")?.parse().ok()
        };
        let failed = [SendError::Connect, SendError::Timeout, SendError::Interrupted];
        let is_dead = number("app-").is_some_and(|app| self.dead_apps.contains(&app));
        let status: Result<u16, SendError> = match (is_dead, self.closing) {
            (true, _) => Err(SendError::Connect),
            (false, true) => Ok(200),
            (false, false) => match self.dice.below(100) {
                0..55 => Ok(200),
                55..62 => Ok(204),
                62..67 => Ok(400),
                67..77 => Ok(self.dice.one_of(&[429, 500, 503])),
                77..90 => Err(self.dice.one_of(&failed)),
                _ => {
                    // It takes its time, and somebody else comes first.
                    let operation = Operation::Post(posted, since);
                    self.pending.push(Pending { node, operation });
                    return;
                }
            },
        };
        // A connection may break after the message was understood.
        let arrived = status.is_ok() || (!is_dead && self.dice.percent(50));
        match &posted.content {
            Content::Form(_) => self.tally.note(format!("app: {status:?}")),
            Content::Envelope(_) => self.tally.note(format!("SOAP: {status:?}")),
        }
        self.history.note(self.now, "post", || {
            let heard = if arrived { "" } else { " (it never heard)" };
            format!("node {node}: {host} answers {status:?}{heard}")
        });
        let mut body = Vec::new();
        if arrived {
            match (&posted.content, number("app-"), number("idp-")) {
                (Content::Form(fields), Some(app), None) => {
                    self.app_is_told(app, fields, since, status);
                }
                (Content::Envelope(envelope), None, Some(idp)) => {
                    body = self.idp_is_asked_by_soap(idp, envelope, status == Ok(200));
                }
                _ => panic!("nobody at {host} takes this"),
            }
        }
        let _ = posted.reply.send(status.map(|status| SoapAnswer { status, body }));
    }

    /// What every node is done with.
    fn hear(&mut self, number: usize) {
        let mut at = 0;
        while at < self.running.len() {
            if self.running[at].node != number {
                at += 1;
                continue;
            }
            match self.running[at].answer.try_recv() {
                Ok(answer) => {
                    let running = self.running.remove(at);
                    self.answered(running, answer);
                }
                Err(oneshot::error::TryRecvError::Empty) => at += 1,
                Err(oneshot::error::TryRecvError::Closed) => {
                    panic!("the service panicked at {:?}", self.running[at].wish)
                }
            }
        }
    }
}
