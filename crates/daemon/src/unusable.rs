//! A configured model that cannot be called: it says what is missing, and asks nobody.

use agent::Failure;
use models::{Backend, Description, Ended, Partial, PendingCall, Request, Sink};
use tokio_util::sync::CancellationToken;
use wire::BlobHash;

/// Stands where a usable model would.
#[derive(Debug)]
pub(crate) struct Unusable {
    missing: String,
}

impl Unusable {
    /// A model that lacks something.
    pub(crate) fn new(missing: String) -> Unusable {
        Unusable { missing }
    }
}

impl Backend for Unusable {
    fn call(&self, _: Request, _: Sink, _: CancellationToken) -> PendingCall {
        let message = self.missing.clone();
        Box::pin(async move {
            let (failure, partial) = (Failure::Unauthorized, Partial::default());
            Ended::Failed { failure, retry_after_ms: None, message, partial }
        })
    }

    fn fingerprint(&self, _: &Request) -> Option<BlobHash> {
        None
    }

    fn describe(&self) -> Description {
        Description { provider: "openai", address: None, remote: true }
    }
}
