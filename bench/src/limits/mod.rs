//! What the machine can do when nothing is in the way.

pub(crate) mod argon;
pub(crate) mod counter;
pub(crate) mod flush;
pub(crate) mod http;
pub(crate) mod ping;
pub(crate) mod rotation;
