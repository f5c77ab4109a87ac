//! How a sign-in looks beside those before it, and what follows.

use serde::Serialize;

use crate::config::{Risk, RiskAction};
use crate::geoip::{Country, Place, Point};
use crate::kernel::Timestamp;

/// The radius of the Earth as a ball.
const EARTH_KM: f64 = 6371.0;

/// Two sign-ins at once are not infinitely fast.
const LEAST_HOURS: f64 = 1.0 / 60.0;

/// A sign-in whose first proof is right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Here {
    pub(super) place: Place,
    pub(super) at: Timestamp,
    /// Whether many accounts are tried from there.
    pub(super) is_attacked: bool,
    /// Whether the password was stolen elsewhere.
    pub(super) is_stolen: bool,
}

/// Where the same account was used before.
#[derive(Debug, Clone, Default)]
pub(super) struct Before {
    /// Whether with this kind of device in this network.
    pub(super) is_known: bool,
    /// Where, and when last.
    pub(super) seen: Vec<Seen>,
}

/// A place where an account was used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) place: Place,
    pub(super) at: Timestamp,
}

/// Something that speaks against a sign-in, with its numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub(super) enum Signal {
    ImpossibleTravel(Travel),
    NewCountry { country: Country },
    SignInAttack,
    StolenPassword,
    NewDevice,
}

/// From where the account was used last to where it is used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Travel {
    /// The great circle between the two points.
    distance_km: u32,
    /// By how much the two points together may be off; that far nobody need have travelled.
    radius_km: u32,
    /// How long it took.
    seconds: u64,
    /// How fast one travels the rest in that time, or in a minute if it was less.
    speed_kmh: u32,
    /// When the account was used last.
    since: Timestamp,
}

impl Signal {
    /// Returns the rule that it is for.
    pub(super) const fn rule(&self) -> &'static str {
        match self {
            Self::ImpossibleTravel(_) => "impossible_travel",
            Self::NewCountry { .. } => "new_country",
            Self::SignInAttack => "sign_in_attack",
            Self::StolenPassword => "stolen_password",
            Self::NewDevice => "new_device",
        }
    }

    fn action(&self, rules: &Risk) -> RiskAction {
        match self {
            Self::ImpossibleTravel(_) => rules.impossible_travel,
            Self::NewCountry { .. } => rules.new_country,
            Self::SignInAttack => rules.sign_in_attack,
            Self::StolenPassword => rules.stolen_password,
            Self::NewDevice => rules.new_device.into(),
        }
    }

    /// Whether an event of its own tells of it anyway.
    fn is_told(&self) -> bool {
        matches!(self, Self::NewDevice | Self::StolenPassword)
    }
}

/// Every rule, in the order in which they are named when several ask for the same.
pub(super) const RULES: [&str; 5] =
    ["impossible_travel", "new_country", "sign_in_attack", "stolen_password", "new_device"];

/// Finds what speaks against a sign-in.
///
/// Where the account was used before with the same kind of device, nothing but the password does: networks are
/// known more surely than their places. Nothing is new to an account that was never used.
pub(super) fn signals(here: &Here, before: &Before, rules: &Risk) -> Vec<Signal> {
    let mut found = Vec::new();
    if !before.is_known {
        found.extend(travel(here, &before.seen, rules).map(Signal::ImpossibleTravel));
        found.extend(new_country(here, &before.seen));
        found.extend(here.is_attacked.then_some(Signal::SignInAttack));
    }
    found.extend(here.is_stolen.then_some(Signal::StolenPassword));
    if !before.is_known && !before.seen.is_empty() {
        found.push(Signal::NewDevice);
    }
    found
}

/// A country is new if those of before are known, at least one of them, and none is this.
fn new_country(here: &Here, seen: &[Seen]) -> Option<Signal> {
    let country = here.place.country?;
    let mut known = seen.iter().filter_map(|seen| seen.place.country).peekable();
    known.peek()?;
    (!known.any(|known| known == country)).then_some(Signal::NewCountry { country })
}

fn travel(here: &Here, seen: &[Seen], rules: &Risk) -> Option<Travel> {
    let to = here.place.point?;
    let (from, since) = seen
        .iter()
        .filter_map(|seen| seen.place.point.map(|point| (point, seen.at)))
        .max_by_key(|(_, at)| *at)?;
    let radius = f64::from(from.radius_km) + f64::from(to.radius_km);
    let distance = distance_km(from, to);
    let rest = (distance - radius).max(0.0);
    let lasted = here.at.since(since);
    let speed = rest / (lasted.as_secs_f64() / 3600.0).max(LEAST_HOURS);
    let is_impossible =
        rest >= f64::from(rules.travel_distance_km) && speed > f64::from(rules.travel_speed_kmh);
    is_impossible.then(|| Travel {
        distance_km: whole(distance),
        radius_km: whole(radius),
        seconds: lasted.as_secs(),
        speed_kmh: whole(speed),
        since,
    })
}

/// The great circle between two points, by the haversine, which is exact where they are near each other.
fn distance_km(from: Point, to: Point) -> f64 {
    let (north, east) = (to.latitude - from.latitude, to.longitude - from.longitude);
    let half = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let (from, to) = (from.latitude.to_radians(), to.latitude.to_radians());
    let square = half(north) + from.cos() * to.cos() * half(east);
    2.0 * EARTH_KM * square.clamp(0.0, 1.0).sqrt().asin()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "no distance on Earth and no speed within it is below zero or has ten digits"
)]
fn whole(number: f64) -> u32 {
    number.round() as u32
}

/// What a rule decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) rule: &'static str,
    pub(super) action: RiskAction,
}

/// Decides by the strictest rule; nothing where nothing speaks against a sign-in.
pub(super) fn decide(signals: &[Signal], rules: &Risk) -> Option<Decision> {
    let strictness = |action| match action {
        RiskAction::Record => 0,
        RiskAction::StepUp => 1,
        RiskAction::Refuse => 2,
    };
    let mut strictest: Option<Decision> = None;
    for signal in signals {
        let (rule, action) = (signal.rule(), signal.action(rules));
        if strictest.is_none_or(|before| strictness(action) > strictness(before.action)) {
            strictest = Some(Decision { rule, action });
        }
    }
    strictest
}

/// Whether a decision is written down: all but one that follows from what other events say already.
pub(super) fn is_told(decision: Decision, signals: &[Signal]) -> bool {
    decision.action != RiskAction::Record || signals.iter().any(|signal| !signal.is_told())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::config;
    use crate::world::{Sandbox, World};

    fn rules(settings: &[&str]) -> Risk {
        let set = settings.iter().map(|text| format!("risk.{text}"));
        config::load(&config::Sources::new().set(set)).expect("good settings").config.risk
    }

    fn point(latitude: f64, longitude: f64, radius_km: u16) -> Point {
        Point { latitude, longitude, radius_km }
    }

    fn place(country: &str, point: Option<Point>) -> Place {
        Place { country: Country::parse(country), point }
    }

    fn named(found: &[Signal]) -> Vec<&'static str> {
        found.iter().map(Signal::rule).collect()
    }

    #[test]
    fn a_sign_in_is_compared_with_those_before_it() {
        let now = Sandbox::default().now();
        let linkoeping = place("SE", Some(point(58.4167, 15.6167, 76)));
        let london = place("GB", Some(point(51.5142, -0.0931, 10)));
        let stockholm = place("SE", Some(point(59.3333, 18.05, 20)));
        let nowhere = Place::default();
        let hours = |hours| Duration::from_secs_f64(3600.0 * hours);
        let at = |place, at| Seen { place, at };
        let elsewhere = "new_device";
        let both = vec!["impossible_travel", "new_country", elsewhere];
        for (seen, place, is_known, expected) in [
            // The first sign-in of all.
            (vec![], london, false, vec![]),
            (vec![at(linkoeping, now - hours(1.0))], london, false, both.clone()),
            // A plane takes longer than an hour, and three are enough.
            (vec![at(linkoeping, now - hours(3.0))], london, false, vec!["new_country", elsewhere]),
            // Two cities near each other, at once.
            (vec![at(linkoeping, now)], stockholm, false, vec![elsewhere]),
            // The last one counts for travel, and all for countries.
            (
                vec![at(london, now - hours(90.0)), at(linkoeping, now - hours(1.0))],
                london,
                false,
                vec!["impossible_travel", elsewhere],
            ),
            // From where the account was used before, with the same device.
            (
                vec![at(linkoeping, now - hours(1.0)), at(london, now - hours(9.0))],
                london,
                true,
                vec![],
            ),
            // What is not known says nothing.
            (vec![at(nowhere, now - hours(1.0))], london, false, vec![elsewhere]),
            (vec![at(linkoeping, now - hours(1.0))], nowhere, false, vec![elsewhere]),
            (
                vec![at(place("SE", None), now)],
                place("GB", None),
                false,
                vec!["new_country", elsewhere],
            ),
            // A clock that went back.
            (vec![at(linkoeping, now + hours(1.0))], london, false, both.clone()),
        ] {
            let here = Here { place, at: now, is_attacked: false, is_stolen: false };
            let before = Before { is_known, seen: seen.clone() };
            let found = signals(&here, &before, &rules(&[]));
            assert_eq!(named(&found), expected, "{seen:?} {place:?}");
        }
        let here = Here { place: nowhere, at: now, is_attacked: true, is_stolen: true };
        let found = |is_known| signals(&here, &Before { is_known, seen: vec![] }, &rules(&[]));
        assert_eq!(named(&found(false)), ["sign_in_attack", "stolen_password"]);
        assert_eq!(named(&found(true)), ["stolen_password"]);
    }

    #[test]
    fn the_numbers_of_a_travel_are_those_of_an_atlas() {
        let now = Sandbox::default().now();
        let (from, to) = (point(58.4167, 15.6167, 76), point(51.5142, -0.0931, 10));
        let since = now - Duration::from_mins(30);
        let seen = [Seen { place: place("SE", Some(from)), at: since }];
        let here =
            Here { place: place("GB", Some(to)), at: now, is_attacked: false, is_stolen: false };
        let travel = travel(&here, &seen, &rules(&[])).expect("impossible");
        assert!((1250..1265).contains(&travel.distance_km), "{travel:?}");
        assert_eq!((travel.radius_km, travel.seconds, travel.since), (86, 1800, since));
        let rest = travel.distance_km - travel.radius_km;
        assert!(travel.speed_kmh.abs_diff(2 * rest) <= 2, "{travel:?}");
        let told = serde_json::to_value(Signal::ImpossibleTravel(travel)).expect("plain data");
        assert_eq!(told["rule"], "impossible_travel");
        assert_eq!(told["speed_kmh"], travel.speed_kmh);
        // Quito to Kuala Lumpur: half around the Earth.
        let around = distance_km(point(-0.22, -78.51, 1), point(3.1, 101.69, 1));
        assert!((19_600.0..19_800.0).contains(&around), "{around}");
        let gentle = rules(&["travel_speed_kmh=3000"]);
        assert_eq!(super::travel(&here, &seen, &gentle), None);
    }

    #[test]
    fn the_strictest_rule_decides_and_the_first_of_equals_is_named() {
        let country = Country::parse("GB").expect("two letters");
        let all = [Signal::NewCountry { country }, Signal::SignInAttack, Signal::NewDevice];
        let decided = |settings: &[&str], signals: &[Signal]| {
            decide(signals, &rules(settings)).map(|it| (it.rule, it.action.as_str()))
        };
        assert_eq!(decided(&[], &[]), None);
        assert_eq!(decided(&[], &all), Some(("new_country", "step_up")));
        assert_eq!(decided(&["sign_in_attack=refuse"], &all), Some(("sign_in_attack", "refuse")));
        assert_eq!(decided(&[], &all[2..]), Some(("new_device", "record")));
        assert_eq!(decided(&["new_device=step_up"], &all[2..]), Some(("new_device", "step_up")));
        let is_told = |settings: &[&str], signals: &[Signal]| {
            is_told(decide(signals, &rules(settings)).expect("a decision"), signals)
        };
        assert!(is_told(&["new_country=record"], &all[..1]));
        assert!(!is_told(&[], &all[2..]) && is_told(&["new_device=step_up"], &all[2..]));
        let wrong = vec!["risk.new_device=refuse".to_owned()];
        assert!(config::load(&config::Sources::new().set(wrong)).is_err());
    }

    fn anywhere() -> impl Strategy<Value = Point> {
        (-90.0..=90.0, -180.0..=180.0, any::<u16>())
            .prop_map(|(north, east, radius)| point(north, east, radius))
    }

    proptest! {
        #[test]
        fn distances_are_those_of_a_ball(one in anywhere(), other in anywhere(), third in anywhere()) {
            let there = distance_km(one, other);
            prop_assert!((there - distance_km(other, one)).abs() < 1e-6);
            prop_assert!(distance_km(one, one) < 1e-6);
            prop_assert!((0.0..=EARTH_KM * std::f64::consts::PI + 1e-6).contains(&there));
            prop_assert!(there <= distance_km(one, third) + distance_km(third, other) + 1e-3);
        }

        /// More time, less precision or a gentler rule never make a travel impossible that was possible.
        #[test]
        fn travel_is_judged_the_milder_the_less_is_sure(
            from in anywhere(), to in anywhere(), seconds in 0_u64..1_000_000, more in 0_u64..1_000_000,
            blur in 0_u16..5000,
        ) {
            let now = Sandbox::default().now();
            let judged = |from: Point, seconds, settings: &[&str]| {
                let seen = [Seen { place: place("SE", Some(from)), at: now - Duration::from_secs(seconds) }];
                let here = Here { place: place("SE", Some(to)), at: now, is_attacked: false, is_stolen: false };
                travel(&here, &seen, &rules(settings)).is_some()
            };
            if !judged(from, seconds, &[]) {
                prop_assert!(!judged(from, seconds + more, &[]));
                let blurred = Point { radius_km: from.radius_km.saturating_add(blur), ..from };
                prop_assert!(!judged(blurred, seconds, &[]));
                prop_assert!(!judged(from, seconds, &["travel_speed_kmh=5000"]));
                prop_assert!(!judged(from, seconds, &["travel_distance_km=1500"]));
            }
        }
    }
}
