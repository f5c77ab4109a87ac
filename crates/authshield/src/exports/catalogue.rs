//! What the words of the audit trail are called elsewhere.

/// How an event is classed by those who collect the events of many programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    /// The class and the activity in OCSF.
    pub(super) ocsf: (u32, u32),
    /// The category and the type in ECS.
    pub(super) ecs: (&'static str, &'static str),
    /// How bad it is, from 0 to 10, as in CEF.
    pub(super) severity: u8,
}

/// OCSF classes (1.3): their numbers and names.
pub(super) const OCSF_CLASSES: [(u32, &str); 6] = [
    (2004, "Detection Finding"),
    (3001, "Account Change"),
    (3002, "Authentication"),
    (3005, "User Access Management"),
    (6002, "Application Lifecycle"),
    (6003, "API Activity"),
];

/// An activity that OCSF has no number for.
const OTHER: u32 = 99;

const fn class(ocsf: (u32, u32), ecs: (&'static str, &'static str), severity: u8) -> Class {
    Class { ocsf, ecs, severity }
}

/// Returns how events of this code are classed. What has no place of its own is an activity of the API.
pub(super) fn classify(code: &str, data: &serde_json::Value) -> Class {
    let signs_in =
        |activity, severity| class((3002, activity), ("authentication", "start"), severity);
    let account = |activity, kind, severity| class((3001, activity), ("iam", kind), severity);
    match code {
        "LOGIN_SUCCEEDED" => signs_in(1, 1),
        "LOGIN_FAILED" => signs_in(1, 4),
        "REFRESH_ROTATED" => class((3002, OTHER), ("authentication", "info"), 0),
        "REFRESH_REJECTED" | "PASSWORD_MISMATCH" => {
            class((3002, OTHER), ("authentication", "info"), 4)
        }
        "LOGOUT" | "SESSION_REVOKED" => class((3002, 2), ("authentication", "end"), 1),
        "REFRESH_REUSED" => class((2004, 1), ("intrusion_detection", "indicator"), 8),
        "REGISTER_SUCCEEDED" | "USER_CREATED" | "SETUP_COMPLETED" => account(1, "creation", 2),
        "REGISTER_FAILED" => account(1, "creation", 3),
        "PASSWORD_CHANGED" => account(3, "change", 3),
        "PASSWORD_RESET_REQUESTED" | "PASSWORD_RESET_COMPLETED" => account(4, "change", 3),
        "STATUS_CHANGED" if data["is_active"] == true => account(2, "change", 4),
        "STATUS_CHANGED" => account(5, "change", 4),
        "USER_DELETED" => account(6, "deletion", 4),
        "EMAIL_VERIFIED"
        | "VERIFICATION_REQUESTED"
        | "LINK_REJECTED"
        | "EMAIL_CHANGE_REQUESTED"
        | "EMAIL_CHANGED"
        | "PROFILE_CHANGED"
        | "PERSON_ERASED" => account(OTHER, "change", 2),
        "ROLES_CHANGED" => class((3005, 1), ("iam", "admin"), 6),
        "ADMIN_REFUSED" => class((3005, OTHER), ("iam", "admin"), 6),
        "CONFIG_CHANGED" => class((6002, 8), ("configuration", "change"), 3),
        "CONFIG_RELOAD_REFUSED" => class((6002, 8), ("configuration", "change"), 5),
        "INSTALLATION_CREATED" => class((6002, 1), ("configuration", "creation"), 3),
        "BACKUP_RESTORED" => class((6002, OTHER), ("database", "change"), 7),
        "EVENTS_PRUNED" => class((6002, OTHER), ("database", "deletion"), 5),
        "KEY_ROTATED" => class((6002, OTHER), ("configuration", "change"), 4),
        "SERVICE_TASK_RESTARTED" => class((6002, 5), ("process", "error"), 6),
        "CHECK_FAILED" | "MAIL_CONFIG_FAULT" | "MAIL_CELL_DEGRADED" => {
            class((6002, OTHER), ("host", "error"), 6)
        }
        "CHECK_RECOVERED" | "MAIL_CONFIG_RECOVERED" | "MAIL_CELL_RECOVERED" => {
            class((6002, OTHER), ("host", "info"), 1)
        }
        _ => class((6003, OTHER), ("api", "info"), 2),
    }
}

/// Returns whether what somebody wanted came about.
pub(super) fn succeeded(code: &str) -> bool {
    let refused =
        ["_FAILED", "_REJECTED", "_REFUSED", "_MISMATCH", "_REUSED", "_FAULT", "_DEGRADED"];
    !refused.iter().any(|end| code.ends_with(end))
}
