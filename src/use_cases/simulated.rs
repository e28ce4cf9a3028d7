//! Several nodes of one installation in one process, for the simulation.

use std::num::NonZero;
use std::sync::{Arc, RwLock};

use tokio::sync::broadcast;

use super::{ADVANCES_REMEMBERED, Inner, UseCases, delivery, xml_turns};
use crate::id::{ClientId, IdpId};
use crate::outbound;
use crate::rng::Rng;
use crate::store::SealedStore;
use crate::use_cases::Failure;

impl UseCases {
    /// A node that has just started, knowing the same settings as this one.
    pub(crate) fn on_another_node(
        &self,
        store: SealedStore,
        outbound: outbound::Client,
        rng: Rng,
    ) -> Self {
        Self(Arc::new(Inner {
            settings: self.settings().clone(),
            registry: self.0.registry.copy_for(store.clone()),
            store,
            keys: RwLock::new(self.keys()),
            outbound,
            rng,
            deliveries: delivery::Places::default(),
            xml_turns: xml_turns::XmlTurns::new(NonZero::<usize>::MIN.get()),
            leg_closed: broadcast::Sender::new(ADVANCES_REMEMBERED),
        }))
    }

    /// Reads the settings of these parties, so that no node reads them later.
    pub(crate) async fn know(&self, clients: &[ClientId], idps: &[IdpId]) -> Result<(), Failure> {
        let (view, now) = (self.view().await?, self.now().await?);
        for client in clients {
            view.client(client).await?;
        }
        for idp in idps {
            view.connection(idp, now).await?;
        }
        Ok(())
    }
}
