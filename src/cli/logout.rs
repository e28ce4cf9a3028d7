use clap::Subcommand;

use super::output::{self, Progress};
use crate::id::LogoutId;
use crate::logout::Logout;
use crate::use_cases::{LogoutStory, UseCases};

#[derive(Subcommand)]
pub(super) enum Command {
    /// The newest logouts
    List {
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: i64,
        #[arg(long)]
        json: bool,
    },
    /// One logout: who was told, how, and what came back
    Show {
        id: LogoutId,
        #[arg(long)]
        json: bool,
    },
    /// Tell the apps again that were given up or said no, for another 72 hours
    Retry { id: LogoutId },
}

pub(super) async fn run(command: Command, use_cases: UseCases) -> anyhow::Result<bool> {
    match command {
        Command::List { limit, json } => {
            let logouts = use_cases.logouts(limit.clamp(1, 1000)).await?;
            if json {
                output::json(&logouts)?;
            } else {
                let rows: Vec<_> = logouts
                    .iter()
                    .map(|logout| {
                        let state = match (logout.answered, logout.settled) {
                            (_, true) => "settled",
                            (true, false) => "answered",
                            (false, false) => "open",
                        };
                        vec![
                            logout.id.to_string(),
                            logout.begun_at.clone(),
                            state.to_owned(),
                            logout.outcome.to_string(),
                        ]
                    })
                    .collect();
                output::table(&["LOGOUT", "BEGUN", "STATE", "OUTCOME"], &rows);
            }
        }
        Command::Show { id, json } => {
            let story = use_cases.logout_story(id).await?;
            if json { output::json(&story)? } else { print(&story) }
        }
        Command::Retry { id } => {
            let retried = use_cases.retry_logout(id).await?;
            return tell(&use_cases, &[retried]).await;
        }
    }
    Ok(true)
}

/// Tells the parties of these logouts, and prints what is known of each. `false`: somebody could not be
/// told yet.
pub(super) async fn tell(use_cases: &UseCases, logouts: &[Logout]) -> anyhow::Result<bool> {
    let progress = Progress::on_terminal();
    use_cases.tell_now(logouts, |done, all| progress.show(done, all)).await;
    progress.clear();
    let mut all_told = true;
    for logout in logouts {
        let story = use_cases.logout_story(logout.id).await?;
        println!("Logout {}: {}", story.id, story.outcome);
        print_parties(&story);
        all_told &= story.settled_at.is_some();
    }
    if !all_told {
        println!("Somebody could not be told yet; the running service goes on with it.");
    }
    Ok(all_told)
}

fn print_parties(story: &LogoutStory) {
    for leg in &story.legs {
        println!("  {}: {}", leg.party, leg.said);
        println!("    {}", leg.channel);
    }
    for party in &story.left {
        println!("  {party}: left as it is, because the person chose so");
    }
}

fn print(story: &LogoutStory) {
    println!("Logout {}: {}", story.id, story.outcome);
    println!("{}", story.summary);
    let asked_by = story.asked_by.as_deref().unwrap_or("nobody by name");
    println!("Begun {} because {} ({asked_by}).", story.begun_at, story.reason);
    match (&story.answered_at, &story.settled_at) {
        (Some(answered), Some(settled)) => {
            println!(
                "The browser's part was over at {answered}; everything was settled at {settled}."
            );
        }
        (Some(answered), None) => {
            println!("The browser's part was over at {answered}; others are still being told.");
        }
        (None, _) => {
            println!(
                "The browser's part is still open; it ends at {} at the latest.",
                story.deadline
            );
        }
    }
    println!("Scope {}", story.scope.as_str());
    if let Some(url) = &story.returns_to {
        println!("Returns to {url}");
    }
    println!("\nParties");
    print_parties(story);
    println!("\nEvents");
    for event in &story.events {
        let party = event.client.as_deref().or(event.idp.as_deref()).unwrap_or("");
        println!("  {}  {:<18} {party:<12} {}", event.at, event.kind, event.detail);
    }
}
