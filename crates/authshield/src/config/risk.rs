//! Rules of risk: what follows from how a sign-in looks beside those before it.

use super::setting::{Fallback, choice, settings};

choice! {
    /// Whether rules of risk count.
    RiskMode {
        /// Nothing is looked at.
        Off = "off",
        /// They are decided and written down, and nothing follows.
        Shadow = "shadow",
        /// What they decide is done.
        Enforce = "enforce",
    }
}

choice! {
    /// What follows from a signal.
    RiskAction {
        /// It is written down.
        Record = "record",
        /// A second factor is asked for, if the account has one.
        StepUp = "step_up",
        /// Nobody is signed in.
        Refuse = "refuse",
    }
}

choice! {
    /// What follows from a signal that everybody sends who buys a telephone.
    RiskNotice {
        /// It is written down.
        Record = "record",
        /// A second factor is asked for, if the account has one.
        StepUp = "step_up",
    }
}

impl From<RiskNotice> for RiskAction {
    fn from(notice: RiskNotice) -> Self {
        match notice {
            RiskNotice::Record => Self::Record,
            RiskNotice::StepUp => Self::StepUp,
        }
    }
}

settings! {
    /// Rules of risk: what follows when a sign-in does not look like those before it. Of several rules the
    /// strictest counts. `step_up` asks for a second factor that the policy does not ask for; who has none is let
    /// in and told by mail of the new device.
    Risk at "risk" "." {
        /// Whether the rules count: `shadow` decides and writes down, and nothing follows.
        mode: RiskMode {
            reload: true,
            fallback: Fallback::Always("shadow"),
            example: "enforce",
            mistaken: &["RISK_ENABLED", "RISK_ENGINE", "ADAPTIVE_MFA"],
        }
        /// The account was used before, and never with this kind of device in this network. It cannot be
        /// `refuse`: nobody could buy a telephone.
        new_device: RiskNotice {
            reload: true,
            fallback: Fallback::Always("record"),
            example: "step_up",
        }
        /// The account was never used in this country. Needs `geoip.file`.
        new_country: RiskAction {
            reload: true,
            fallback: Fallback::Always("step_up"),
            example: "refuse",
        }
        /// Nobody travels so fast from where the account was used last. Needs a `geoip.file` that knows
        /// more than countries.
        impossible_travel: RiskAction {
            reload: true,
            fallback: Fallback::Always("step_up"),
            example: "refuse",
        }
        /// Many accounts are tried from this address, and this account was never used with this kind of device
        /// from there.
        sign_in_attack: RiskAction {
            reload: true,
            fallback: Fallback::Always("step_up"),
            example: "refuse",
        }
        /// The password is right, and was stolen elsewhere. Needs
        /// `password.breached_file`, or `password.breached_ranges` for sign-ins.
        stolen_password: RiskAction {
            reload: true,
            fallback: Fallback::Always("record"),
            example: "step_up",
        }
        /// Nobody travels faster.
        travel_speed_kmh: u32 {
            reload: true,
            fallback: Fallback::Always("900"),
            unit: "km/h",
            bounds: Some((100, 100_000)),
            example: "900",
            mistaken: &["MAX_TRAVEL_SPEED"],
        }
        /// What is nearer is no travel: countries and cities are known to some hundred kilometres.
        travel_distance_km: u32 {
            reload: true,
            fallback: Fallback::Always("500"),
            unit: "km",
            bounds: Some((50, 20_000)),
            example: "500",
            mistaken: &["MIN_TRAVEL_DISTANCE"],
        }
    }
}
