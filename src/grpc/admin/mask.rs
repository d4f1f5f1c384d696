//! Read masks (AIP-157): which fields of a resource are returned. A field that is added to a message must be named here, or this does not
//! compile.

use prost_types::FieldMask;

use crate::proto::keyward::admin::v1::{Key, Owner};

/// A resource whose fields can be left out.
pub(super) trait Masked {
    /// Refuses paths that are no fields.
    fn known(mask: Option<&FieldMask>) -> Result<(), String>;
    /// Without the fields that the mask does not name.
    fn masked(self, mask: Option<&FieldMask>) -> Self;
}

macro_rules! masked {
    ($message:ident { $($field:ident),* }) => {
        impl Masked for $message {
            fn known(mask: Option<&FieldMask>) -> Result<(), String> {
                let fields = [$(stringify!($field)),*];
                // every path is looked for with every field of every resource of an answer
                if paths(mask).len() > fields.len() {
                    return Err(format!("must name at most {} fields", fields.len()));
                }
                match paths(mask).iter().position(|path| !fields.contains(&path.as_str()) && path != "*") {
                    None => Ok(()),
                    Some(at) => Err(format!("must name fields ({}), and paths[{at}] names none", fields.join(", "))),
                }
            }

            fn masked(self, mask: Option<&FieldMask>) -> Self {
                let paths = paths(mask);
                if paths.is_empty() || paths.iter().any(|path| path == "*") {
                    return self;
                }
                let wanted = |field: &str| paths.iter().any(|path| path == field);
                let Self { $($field),* } = self;
                Self { $($field: if wanted(stringify!($field)) { $field } else { Default::default() }),* }
            }
        }
    };
}

masked!(Key {
    name,
    owner,
    label,
    environment,
    kind,
    plan,
    tenant,
    scopes,
    allowed_addresses,
    secrets,
    create_time,
    expire_time,
    revoke_time,
    revoke_cause,
    etag,
    limits,
    metadata,
    binding,
    state,
    rotate_time
});
masked!(Owner { name, display_name, plan, create_time, disable_time, etag, limits, state });

fn paths(mask: Option<&FieldMask>) -> &[String] {
    mask.map_or(&[], |mask| &mask.paths)
}
