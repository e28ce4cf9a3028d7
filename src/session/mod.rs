//! What one browser holds: our session with it, what IdPs asserted in it, which apps joined it.

mod app;
mod browser;
mod idp;
mod named;

pub use app::AppSession;
pub use browser::{BrowserSession, Lifetime, Sid, Unreadable};
pub use idp::{IdpSession, MOST_SESSION_INDEXES, SignedIn};
pub use named::NamedPerson;
