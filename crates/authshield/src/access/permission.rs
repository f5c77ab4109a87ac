//! Every permission, and which of the built-in roles holds it.
//!
//! Roles that operators add mean something to their applications, not to this service: they hold
//! none of these.

/// Something that not everybody may do; a type, so that it stands in a handler's signature.
pub trait Permission: Send + Sync + 'static {
    /// Its name in answers and documents.
    const NAME: &'static str;
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $wire:literal [$($role:literal),*];)*) => {
        $(
            $(#[$doc])*
            pub struct $name;

            impl Permission for $name {
                const NAME: &'static str = $wire;
            }
        )*

        /// Returns whether one of `roles` holds `permission`.
        #[must_use]
        pub fn grants(roles: &[String], permission: &str) -> bool {
            let holders: &[&str] = match permission {
                $($wire => &[$($role),*],)*
                _ => &[],
            };
            roles.iter().any(|role| holders.contains(&role.as_str()))
        }
    };
}

permissions! {
    /// List accounts and look at one.
    SeeUsers = "users:read" ["moderator", "admin"];
    /// List the sessions of an account.
    SeeSessions = "sessions:read" ["moderator", "admin"];
    /// Give and take roles.
    ChangeRoles = "roles:write" ["admin"];
    /// Disable and enable accounts.
    ChangeStatus = "users:write" ["admin"];
    /// See what became of mail.
    SeeMail = "mail:read" ["moderator", "admin"];
    /// Have mail sent again, and say which addresses get none.
    SendMail = "mail:write" ["admin"];
    /// End the sessions of an account.
    EndSessions = "sessions:write" ["admin"];
    /// Take the second factor from an account whose owner lost it.
    ResetFactors = "factors:write" ["admin"];
    /// Read the audit trail.
    SeeEvents = "events:read" ["admin"];
    /// Have others given events again.
    ExportEvents = "events:export" ["admin"];
    /// See every check with its evidence.
    SeeHealth = "health:read" ["admin"];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_of_the_operator_opens_nothing_here() {
        let roles =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert!(grants(&roles(&["user", "admin"]), ChangeRoles::NAME));
        assert!(grants(&roles(&["moderator"]), SeeUsers::NAME));
        assert!(!grants(&roles(&["moderator"]), ChangeRoles::NAME));
        assert!(!grants(&roles(&["user", "billing"]), SeeUsers::NAME));
        assert!(!grants(&roles(&["admin"]), "no:such"));
    }
}
