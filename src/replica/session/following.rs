//! The log as it is pushed: applied at once, and acknowledged as far as it is known to be secured.

use std::time::Duration;

use tokio::time::sleep;

use super::Session;
use crate::replica::remembered::Forgetting;
use crate::store::StoreError;

/// The first look for whether what was pushed is secured; each takes twice as long as the one before.
const FIRST_LOOK: Duration = Duration::from_millis(1);

impl Session {
    /// For ever.
    pub(super) async fn keep_following(&self) {
        let mut look = FIRST_LOOK;
        loop {
            // a change that is to be on other nodes as well is pushed before it is secured there, and nobody pushes that
            let unsecured = self.follower().is_unsecured();
            if let Err(error) = self.follow(if unsecured { look } else { self.terms.lease }).await {
                tracing::debug!(%error, "the log could not be followed");
                sleep(self.terms.renewal() / 4).await;
            }
            look = if unsecured { self.terms.renewal().min(2 * look) } else { FIRST_LOOK };
        }
    }

    async fn follow(&self, patience: Duration) -> Result<(), StoreError> {
        let mut progress = self.progress.subscribe();
        let Some(after) = self.follower().applied() else {
            let _ = progress.changed().await;
            return Ok(());
        };
        let pushed = self.store.follow(after, patience).await?;
        let news = self.follower().pushed(after, &pushed, &mut Forgetting(&*self.memory));
        if !pushed.entries.is_empty() {
            self.progress.send_modify(|number| *number += 1);
        }
        match news {
            Some(place) => self.store.acknowledge(&self.holder, place).await,
            None => Ok(()),
        }
    }
}
