//! One file per thing that somebody wants done. A use case reads, lets the domain decide, commits,
//! and returns what is next; it knows neither HTTP nor SQL.

mod acs;
mod admin_tokens;
mod ask_idp;
mod authorize;
mod backchannel;
mod cleanup;
mod clients;
mod decryption_keys;
mod delivery;
mod end_principal;
mod end_session;
mod ended_before;
mod expiry;
mod failure;
mod frontchannel;
mod idp_advice;
mod idp_difference;
mod idp_refresh;
mod idp_report;
mod idp_request;
mod idp_save;
mod idps;
mod key_rotation;
mod keys;
mod logout_end;
mod logout_page;
mod logout_receipt;
mod logout_request;
mod logout_response;
mod logouts;
mod next;
mod off_boarding;
mod onward;
mod owed_answer;
mod own_form;
mod parties;
mod person_page;
pub mod registry;
mod relogin_lock;
mod saml_message;
mod sessions;
mod settings;
mod sign_in;
mod sign_out;
#[cfg(test)]
mod simulated;
mod soap_logout;
mod sp_metadata;
mod token;
mod userinfo;
mod v2_logout;
mod xml_turns;

use std::num::NonZero;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use tokio::sync::broadcast;

use crate::id::LogoutId;
use crate::outbound;
use crate::rng::Rng;
use crate::store::{SealedStore, StoreError};

pub use acs::PostedResponse;
pub use clients::{Existing, SavedClient};
pub use decryption_keys::DecryptionKeys;
pub use end_session::Arrival;
pub use failure::Failure;
pub use frontchannel::{FRAMES_WAIT, Frame};
pub use idp_refresh::Refreshed;
pub use idp_report::{IdpReport, LadderStep, RefreshReport};
pub use idp_save::{NewSettings, SaveIdp};
pub use key_rotation::{Begin, KeyReport};
pub use keys::Keys;
pub use logout_page::PageAnswer;
pub use logout_receipt::ReceiptAnswer;
pub use logouts::{LegStory, LogoutStory};
pub use next::{
    Browser, Choice, CookieChange, EndParty, LeftParty, LogoutEnd, Next, Page, Reply,
    transaction_name,
};
pub use parties::ListedParty;
pub use person_page::{NothingEnded, PersonForm};
pub use registry::RegisteredClient;
pub use relogin_lock::{ReloginAnswer, ReloginQuestion};
pub use sessions::{LiveSession, SessionListing};
pub use settings::{REQUEST_LIFETIME, Settings};
pub use token::TokenAnswer;

/// Everything that can be done, with all it needs. Clones share it.
#[derive(Clone)]
pub struct UseCases(Arc<Inner>);

pub struct Inner {
    settings: Settings,
    store: SealedStore,
    keys: RwLock<Arc<Keys>>,
    registry: registry::Registry,
    outbound: outbound::Client,
    rng: Rng,
    deliveries: delivery::Places,
    xml_turns: xml_turns::XmlTurns,
    /// Tells browsers that wait for apps which logout has advanced on this node.
    leg_closed: broadcast::Sender<LogoutId>,
}

/// How many advances of logouts a waiting browser may lag behind before it looks at the store.
const ADVANCES_REMEMBERED: usize = 256;

/// How long the store may take to answer whoever asks whether this node is ready.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// How often a decision is made again when somebody else was faster.
const TRIES: usize = 5;

impl UseCases {
    pub fn new(
        settings: Settings,
        store: SealedStore,
        keys: Keys,
        outbound: outbound::Client,
        rng: Rng,
    ) -> Self {
        let registry = registry::Registry::new(store.clone(), settings.metadata_max_validity);
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self(Arc::new(Inner {
            settings,
            store,
            keys: RwLock::new(Arc::new(keys)),
            registry,
            outbound,
            rng,
            deliveries: delivery::Places::default(),
            xml_turns: xml_turns::XmlTurns::new(threads),
            leg_closed: broadcast::Sender::new(ADVANCES_REMEMBERED),
        }))
    }

    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub fn store(&self) -> &SealedStore {
        &self.0.store
    }

    /// Whether requests can be served: the store answers, and soon.
    pub async fn is_ready(&self) -> Result<(), StoreError> {
        let answer = tokio::time::timeout(READY_WITHIN, self.store().ping()).await;
        let late = || StoreError::Busy(format!("no answer within {} s", READY_WITHIN.as_secs()));
        answer.unwrap_or_else(|_| Err(late()))
    }

    fn rng(&self) -> &Rng {
        &self.0.rng
    }

    async fn view(&self) -> Result<registry::View<'_>, StoreError> {
        self.0.registry.view().await
    }

    /// Wakes whoever waits for a leg of this logout.
    fn a_leg_closed(&self, logout: LogoutId) {
        // Nobody may be waiting.
        let _ = self.0.leg_closed.send(logout);
    }

    /// Waits until a leg of this logout is closed on this node, or a moment, because another node
    /// may close it.
    async fn leg_closed_or(&self, logout: LogoutId, at_most: Duration) {
        let mut advances = self.0.leg_closed.subscribe();
        let closed = async {
            // Whoever cannot follow looks at the store.
            while advances.recv().await.is_ok_and(|advanced| advanced != logout) {}
        };
        let _ = tokio::time::timeout(at_most, closed).await;
    }
}
