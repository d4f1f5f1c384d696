//! Messages that hold a secret do not print. build.rs leaves their `Debug` to this file.

use std::fmt;

use crate::proto::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use crate::proto::keyward::admin::v1::{BootstrapRequest, BootstrapResponse, CreateKeyRequest, CreateKeyResponse};

macro_rules! silent {
    ($($message:ident)*) => {
        $(impl fmt::Debug for $message {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($message), "(..)"))
            }
        })*
    };
}

silent!(BootstrapRequest BootstrapResponse CreateKeyRequest CreateKeyResponse AttributeContext CheckRequest);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_a_secret_tells_its_name_alone() {
        let response = CreateKeyResponse { secret: "hush".into(), ..CreateKeyResponse::default() };
        assert_eq!(format!("{response:?}"), "CreateKeyResponse(..)");
    }
}
