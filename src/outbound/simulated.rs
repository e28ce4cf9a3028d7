//! A network that carries nothing by itself: every request waits until the simulation answers it.

use tokio::sync::{mpsc, oneshot};
use url::Url;

use super::{Answer, SendError, SoapAnswer};

/// A request on its way.
pub(crate) struct Posted {
    pub(crate) url: Url,
    pub(crate) content: Content,
    pub(crate) reply: oneshot::Sender<Result<SoapAnswer, SendError>>,
}

pub(crate) enum Content {
    Form(Vec<(String, String)>),
    Envelope(String),
}

#[derive(Clone, Debug)]
pub(crate) struct Simulated(pub(crate) mpsc::UnboundedSender<Posted>);

impl Simulated {
    pub(super) async fn post_form(
        &self,
        url: &Url,
        fields: &[(&str, &str)],
    ) -> Result<Answer, SendError> {
        let fields = fields.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let answer = self.post(url, Content::Form(fields.collect())).await?;
        Ok(Answer { status: answer.status, retry_after: None })
    }

    pub(super) async fn post_soap(
        &self,
        url: &Url,
        envelope: String,
    ) -> Result<SoapAnswer, SendError> {
        self.post(url, Content::Envelope(envelope)).await
    }

    async fn post(&self, url: &Url, content: Content) -> Result<SoapAnswer, SendError> {
        let (reply, answer) = oneshot::channel();
        // A world that has ended answers nobody.
        let _ = self.0.send(Posted { url: url.clone(), content, reply });
        answer.await.unwrap_or(Err(SendError::Busy))
    }
}
