//! What happened to one's own account, in words for its owner.
//!
//! ```text
//! GET /users/me/events ─ http::list_activity ─ the audit trail, what its owner should know of it; the true
//!                        reasons and what is kept for operators stay out
//! ```

pub mod http;
