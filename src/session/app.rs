use crate::clock::Timestamp;
use crate::id::{AppSessionId, ClientId};

/// One client's part in a browser session: who must be told at logout.
#[derive(Clone, PartialEq, Debug)]
pub struct AppSession {
    pub id: AppSessionId,
    pub client: ClientId,
    pub created_at: Timestamp,
}
