use clap::{Args, Subcommand};

use super::logout::tell;
use super::output;
use crate::id::{BrowserSessionId, ClientId, IdpId};
use crate::oidc::Subject;
use crate::store::SessionFilter;
use crate::use_cases::{Failure, LiveSession, UseCases};

/// How many sessions are read, and ended, at once.
const PAGE: i64 = 64;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Who is signed in
    List {
        #[arg(long)]
        json: bool,
        /// With a sign-in by this IdP
        #[arg(long, value_name = "ID")]
        idp: Option<IdpId>,
        /// In which this client takes part
        #[arg(long, value_name = "ID")]
        client: Option<ClientId>,
        /// Of this person
        #[arg(long, value_name = "SUB", allow_hyphen_values = true)]
        sub: Option<Subject>,
    },
    /// End sessions, as a whole logout: apps are told, and IdPs that can be asked without a browser
    End(End),
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct End {
    /// These sessions
    #[arg(value_name = "ID")]
    ids: Vec<BrowserSessionId>,
    /// Every session of this person, and sign-ins that are still on their way
    #[arg(long, value_name = "SUB", allow_hyphen_values = true)]
    sub: Option<Subject>,
    /// Every session with a sign-in by this IdP
    #[arg(long, value_name = "ID")]
    idp: Option<IdpId>,
}

pub(super) async fn run(command: Command, use_cases: UseCases) -> anyhow::Result<bool> {
    match command {
        Command::List { json, idp, client, sub } => {
            let filter = SessionFilter { subject: sub, idp, client };
            let sessions = all(&use_cases, &filter).await?;
            if json {
                output::json(&sessions)?;
            } else {
                print(&sessions);
            }
            Ok(true)
        }
        Command::End(End { sub: Some(sub), .. }) => {
            let ended = use_cases.sign_out_person(&sub).await?;
            if ended.is_empty() {
                println!("This person had no live session.");
            }
            tell(&use_cases, &ended).await
        }
        Command::End(End { idp: Some(idp), .. }) => end_of_idp(&use_cases, idp).await,
        Command::End(End { ids, .. }) => end_each(&use_cases, &ids).await,
    }
}

async fn all(use_cases: &UseCases, filter: &SessionFilter) -> anyhow::Result<Vec<LiveSession>> {
    let (mut sessions, mut after) = (Vec::new(), None);
    loop {
        let page = use_cases.live_sessions(filter, after, PAGE).await?;
        sessions.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(sessions);
        }
    }
}

fn print(sessions: &[LiveSession]) {
    let joined = |names: &[&str]| names.join(" ");
    let row = |session: &LiveSession| {
        vec![
            session.id.to_string(),
            session.sub.clone(),
            joined(&session.idps.iter().map(IdpId::as_str).collect::<Vec<_>>()),
            joined(&session.apps.iter().map(ClientId::as_str).collect::<Vec<_>>()),
            session.begun_at.clone(),
            session.idle_until.clone(),
        ]
    };
    let rows: Vec<_> = sessions.iter().map(row).collect();
    output::table(&["SESSION", "SUB", "IDPS", "APPS", "BEGUN", "IDLE UNTIL"], &rows);
}

/// One that is not live does not keep the others from being ended.
async fn end_each(use_cases: &UseCases, ids: &[BrowserSessionId]) -> anyhow::Result<bool> {
    let (mut ended, mut failure) = (Vec::new(), None);
    for id in ids {
        match use_cases.end_session_of_id(*id).await {
            Ok(logout) => ended.push(logout),
            Err(error) => failure = Some(error),
        }
    }
    let all_told = tell(use_cases, &ended).await?;
    match failure {
        Some(failure) => Err(failure.into()),
        None => Ok(all_told),
    }
}

/// A difficulty with one session does not keep the others from being ended, nor from being told of.
async fn end_of_idp(use_cases: &UseCases, idp: IdpId) -> anyhow::Result<bool> {
    let filter = SessionFilter { idp: Some(idp), ..SessionFilter::default() };
    let (mut after, mut all_told, mut count, mut failure) = (None, true, 0, None);
    loop {
        let page = use_cases.live_sessions(&filter, after, PAGE).await?;
        let mut ended = Vec::new();
        for session in page.items {
            match use_cases.end_session_of_id(session.id).await {
                Ok(logout) => ended.push(logout),
                // It ended by itself meanwhile.
                Err(Failure::NotFound { .. }) => {}
                Err(other) => {
                    eprintln!("session {} is not ended: {other}", session.id);
                    failure = Some(other);
                }
            }
        }
        count += ended.len();
        all_told &= tell(use_cases, &ended).await?;
        after = page.next;
        if after.is_some() {
            continue;
        }
        return match failure {
            Some(failure) => Err(failure.into()),
            None => {
                if count == 0 {
                    println!("There was no live session with a sign-in by this IdP.");
                }
                Ok(all_told)
            }
        };
    }
}
