//! Signatures that are not there, do not hold, or are somebody else's.

use super::ambush::Ambush;
use crate::both;
use crate::support::attack::signature;
use crate::support::world::On;

both!(what_nobody_signed_signs_nobody_in, exclusions);
async fn exclusions(on: On) {
    Ambush::on(on).await.withstands(signature::exclusions).await;
}
