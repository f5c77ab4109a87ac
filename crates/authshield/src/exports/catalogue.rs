//! What the events of the audit trail are called elsewhere.

use serde_json::Value;

/// How an event is classed by those who collect the events of many programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    /// The class and the activity in OCSF.
    pub(super) ocsf: (u32, u32),
    /// The category and the type in ECS.
    pub(super) ecs: (&'static str, &'static str),
    /// How bad it is, from 0 to 10, as in CEF.
    pub(super) severity: u8,
    /// Whether what somebody wanted came about.
    pub(super) succeeded: bool,
}

/// The classes of OCSF 1.3 that events have.
pub(super) const DETECTION: u32 = 2004;
pub(super) const ACCOUNT: u32 = 3001;
pub(super) const AUTHENTICATION: u32 = 3002;
pub(super) const ACCESS: u32 = 3005;
pub(super) const APPLICATION: u32 = 6002;
pub(super) const API: u32 = 6003;

/// An activity that OCSF has no number for.
pub(super) const OTHER: u32 = 99;

/// Returns the name of a class.
pub(super) const fn class_name(class: u32) -> &'static str {
    match class {
        DETECTION => "Detection Finding",
        ACCOUNT => "Account Change",
        AUTHENTICATION => "Authentication",
        ACCESS => "User Access Management",
        APPLICATION => "Application Lifecycle",
        _ => "API Activity",
    }
}

/// Returns how an event is classed. What a newer version wrote, this one knows no class of.
pub(super) fn classify(code: &str, data: &Value) -> Class {
    known(code, data).unwrap_or(Class {
        ocsf: (API, OTHER),
        ecs: ("api", "info"),
        severity: 2,
        succeeded: true,
    })
}

/// The page: what each event is in OCSF and ECS, how bad it is, and whether it is one of success.
fn known(code: &str, data: &Value) -> Option<Class> {
    let (ocsf, ecs, severity, succeeded) = match code {
        "REGISTER_SUCCEEDED" | "USER_CREATED" | "SETUP_COMPLETED" => {
            ((ACCOUNT, 1), ("iam", "creation"), 2, true)
        }
        "REGISTER_FAILED" => ((ACCOUNT, 1), ("iam", "creation"), 3, false),
        "STATUS_CHANGED" if data["is_active"] == true => ((ACCOUNT, 2), ("iam", "change"), 4, true),
        "STATUS_CHANGED" => ((ACCOUNT, 5), ("iam", "change"), 4, true),
        "PASSWORD_CHANGED" => ((ACCOUNT, 3), ("iam", "change"), 3, true),
        "PASSWORD_RESET_REQUESTED" | "PASSWORD_RESET_COMPLETED" => {
            ((ACCOUNT, 4), ("iam", "change"), 3, true)
        }
        "USER_DELETION_REQUESTED" => ((ACCOUNT, OTHER), ("iam", "change"), 4, true),
        "USER_DELETED" => ((ACCOUNT, 6), ("iam", "deletion"), 4, true),
        "ACCOUNT_LOCKED" | "ACCOUNT_SECURED" => ((ACCOUNT, 9), ("iam", "change"), 6, true),
        "SECOND_FACTOR_ENABLED" | "PASSKEY_ADDED" | "IDENTITY_LINKED" => {
            ((ACCOUNT, 10), ("iam", "change"), 2, true)
        }
        "SECOND_FACTOR_DISABLED"
        | "SECOND_FACTOR_RESET"
        | "PASSKEY_REMOVED"
        | "IDENTITY_REMOVED" => ((ACCOUNT, 11), ("iam", "change"), 5, true),
        "EMAIL_VERIFIED"
        | "VERIFICATION_REQUESTED"
        | "EMAIL_CHANGE_REQUESTED"
        | "EMAIL_CHANGED"
        | "PROFILE_CHANGED"
        | "USER_DELETION_WITHDRAWN"
        | "RECOVERY_CODES_RENEWED"
        | "TRUSTED_DEVICE_ADDED"
        | "TRUSTED_DEVICE_REMOVED"
        | "PERSON_ERASED" => ((ACCOUNT, OTHER), ("iam", "change"), 2, true),
        "PASSWORD_REFUSED" => ((ACCOUNT, OTHER), ("iam", "change"), 4, false),
        "DISPOSABLE_ADDRESS_SEEN" if data["outcome"] == "refused" => {
            ((ACCOUNT, OTHER), ("iam", "creation"), 3, false)
        }
        "DISPOSABLE_ADDRESS_SEEN" => ((ACCOUNT, OTHER), ("iam", "info"), 2, true),
        "BREACH_LOOKUP_FAILED" => ((ACCOUNT, OTHER), ("iam", "info"), 3, true),
        "LINK_REJECTED" => ((ACCOUNT, OTHER), ("iam", "change"), 3, false),
        "LOGIN_SUCCEEDED" => ((AUTHENTICATION, 1), ("authentication", "start"), 1, true),
        "LOGIN_FAILED" | "PASSKEY_REFUSED" | "FEDERATION_REFUSED" | "MAGIC_LINK_REFUSED"
        | "CAPTCHA_REFUSED" => ((AUTHENTICATION, 1), ("authentication", "start"), 4, false),
        "LOGOUT" | "SESSION_REVOKED" => ((AUTHENTICATION, 2), ("authentication", "end"), 1, true),
        "REFRESH_ROTATED"
        | "SECOND_FACTOR_ASKED"
        | "STEPPED_UP"
        | "SIGN_IN_HANDED_OVER"
        | "TRUSTED_DEVICE_USED"
        | "MAGIC_LINK_REQUESTED" => ((AUTHENTICATION, OTHER), ("authentication", "info"), 1, true),
        "RECOVERY_CODE_USED" | "BREACHED_PASSWORD_USED" => {
            ((AUTHENTICATION, OTHER), ("authentication", "info"), 4, true)
        }
        "REFRESH_REJECTED" | "PASSWORD_MISMATCH" | "SECOND_FACTOR_REFUSED" => {
            ((AUTHENTICATION, OTHER), ("authentication", "info"), 4, false)
        }
        "RISK_SIGNAL" if data["outcome"] == "refused" => {
            ((DETECTION, 1), ("intrusion_detection", "denied"), 6, false)
        }
        "RISK_SIGNAL" => ((DETECTION, 1), ("intrusion_detection", "info"), 5, true),
        "SIGN_IN_ATTACK_SEEN" => ((DETECTION, 1), ("intrusion_detection", "info"), 7, false),
        "REFRESH_REUSED" => ((DETECTION, 1), ("intrusion_detection", "denied"), 8, false),
        "ROLES_CHANGED" => ((ACCESS, 1), ("iam", "admin"), 6, true),
        "ADMIN_REFUSED" => ((ACCESS, OTHER), ("iam", "admin"), 6, false),
        "CONFIG_CHANGED" => ((APPLICATION, 8), ("configuration", "change"), 3, true),
        "CONFIG_RELOAD_REFUSED" => ((APPLICATION, 8), ("configuration", "change"), 5, false),
        "INSTALLATION_CREATED" => ((APPLICATION, 1), ("configuration", "creation"), 3, true),
        "KEY_ROTATED" => ((APPLICATION, OTHER), ("configuration", "change"), 4, true),
        "BACKUP_RESTORED" => ((APPLICATION, OTHER), ("database", "change"), 7, true),
        "EVENTS_PRUNED" => ((APPLICATION, OTHER), ("database", "change"), 5, true),
        "SERVICE_TASK_RESTARTED" => ((APPLICATION, 5), ("process", "start"), 6, true),
        "CHECK_FAILED" | "MAIL_CONFIG_FAULT" | "MAIL_CELL_DEGRADED" => {
            ((APPLICATION, OTHER), ("host", "info"), 6, false)
        }
        "CHECK_RECOVERED" | "MAIL_CONFIG_RECOVERED" | "MAIL_CELL_RECOVERED" | "MAIL_DIGEST" => {
            ((APPLICATION, OTHER), ("host", "info"), 1, true)
        }
        "MAIL_RESENT"
        | "MAIL_SUPPRESSION_ADDED"
        | "MAIL_SUPPRESSION_LIFTED"
        | "MAIL_SUPPRESSIONS_IMPORTED"
        | "MAIL_SUPPRESSIONS_EXPORTED"
        | "EVENTS_EXPORTED"
        | "DATA_EXPORTED"
        | "EXPORT_REPLAYED"
        | "EXPORT_DEAD_LETTERS_DROPPED" => ((API, OTHER), ("api", "admin"), 3, true),
        _ => return None,
    };
    Some(Class { ocsf, ecs, severity, succeeded })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use insta::assert_snapshot;

    use super::*;
    use crate::audit::CODES;

    /// A new event needs a class: it is part of what others read.
    #[test]
    fn every_event_has_a_class() {
        let mut page = String::new();
        for code in CODES {
            let class = known(code, &Value::Null)
                .unwrap_or_else(|| panic!("{code} has no class in exports/catalogue.rs"));
            let Class { ocsf: (ocsf, activity), ecs: (category, kind), severity, succeeded } =
                class;
            let outcome = if succeeded { "success" } else { "failure" };
            let class = class_name(ocsf);
            let _ = writeln!(
                page,
                "{code}: {class} {activity}; {category} {kind}; severity {severity}, {outcome}"
            );
        }
        assert_snapshot!("classes", page);
        assert_eq!(
            known("STATUS_CHANGED", &serde_json::json!({ "is_active": true })).unwrap().ocsf,
            (3001, 2)
        );
        assert_eq!(classify("OF_A_NEWER_VERSION", &Value::Null).ocsf, (6003, 99));
    }
}
