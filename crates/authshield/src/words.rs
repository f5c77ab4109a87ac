//! The words of letters and pages, in every language we have.

use std::sync::OnceLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use unic_langid::LanguageIdentifier;

/// A language that we speak.
#[derive(Clone, Copy)]
pub(crate) struct Language {
    /// Its tag (BCP 47).
    pub(crate) tag: &'static str,
    /// What it calls itself.
    pub(crate) name: &'static str,
    words: &'static str,
    /// What the codes of problems mean, where that is not said beside the codes.
    problems: &'static str,
}

/// A language with its words, from `locales/TAG.ftl` and `locales/problems.TAG.ftl`.
macro_rules! language {
    ($tag:literal, $name:literal) => {
        Language {
            tag: $tag,
            name: $name,
            words: include_str!(concat!("../locales/", $tag, ".ftl")),
            problems: include_str!(concat!("../locales/problems.", $tag, ".ftl")),
        }
    };
}

/// The language that has every word; its words about problems stand beside their codes.
const ENGLISH: Language = Language {
    tag: FALLBACK,
    name: "English",
    words: include_str!("../locales/en.ftl"),
    problems: "",
};

/// Every language, in the order in which pages offer them. A new one is a line here, and its words; the
/// tests below say what they lack.
pub(crate) const LANGUAGES: [Language; 4] =
    [language!("de", "Deutsch"), ENGLISH, language!("es", "Español"), language!("fr", "Français")];

const FALLBACK: &str = "en";

/// The words of every language; one is read when somebody speaks it first.
pub(crate) struct Words([OnceLock<Bundle>; LANGUAGES.len()]);

type Bundle = FluentBundle<FluentResource>;

/// The one copy that letters and pages share.
pub(crate) static WORDS: Words = Words([const { OnceLock::new() }; LANGUAGES.len()]);

/// A word that no language has, or that wants something it was not given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the words `{id}` cannot be said in `{language}`: {why}")]
pub struct Speechless {
    /// Which words.
    pub id: String,
    /// In which language.
    pub language: &'static str,
    /// What is wrong.
    pub why: String,
}

impl Language {
    fn read(self) -> Bundle {
        let id: LanguageIdentifier = self.tag.parse().expect("our own languages have ids");
        let mut bundle = FluentBundle::new_concurrent(vec![id]);
        // The marks would end up in subjects and in what people copy.
        bundle.set_use_isolating(false);
        for source in [self.words, self.problems] {
            let resource = FluentResource::try_new(source.to_owned())
                .expect("our own words are well formed; a test says so");
            bundle.add_resource(resource).expect("our own words have one meaning each");
        }
        bundle
    }
}

impl Words {
    fn of(&self, language: &str) -> Option<&Bundle> {
        let (language, read) =
            LANGUAGES.iter().zip(&self.0).find(|(known, _)| known.tag == language)?;
        Some(read.get_or_init(|| language.read()))
    }

    /// Returns the language that serves `locale` best: `de-AT` is German; an unknown one gets the
    /// default, and an unknown default English.
    pub(crate) fn pick(locale: &str, default: &str) -> &'static str {
        [locale, default].into_iter().find_map(|locale| Self::known(locale)).unwrap_or(FALLBACK)
    }

    /// Returns our language for `locale`, if we have one.
    pub(crate) fn known(locale: &str) -> Option<&'static str> {
        let wanted: LanguageIdentifier = locale.replace('_', "-").parse().ok()?;
        LANGUAGES.iter().map(|language| language.tag).find(|tag| wanted.language.as_str() == *tag)
    }

    /// Says the words `id`, or those of its attribute: `verify_email.lead`.
    pub(crate) fn say(
        &self,
        language: &'static str,
        id: &str,
        args: &FluentArgs<'_>,
    ) -> Result<String, Speechless> {
        let speechless = |why: String| Speechless { id: id.to_owned(), language, why };
        let (message, attribute) = id
            .split_once('.')
            .map_or((id, None), |(message, attribute)| (message, Some(attribute)));
        let found = [language, FALLBACK].into_iter().find_map(|language| {
            let bundle = self.of(language)?;
            let message = bundle.get_message(message)?;
            let pattern = match attribute {
                Some(attribute) => message.get_attribute(attribute)?.value(),
                None => message.value()?,
            };
            Some((bundle, pattern))
        });
        let (bundle, pattern) = found.ok_or_else(|| speechless("there are none".to_owned()))?;
        let mut errors = Vec::new();
        let said = bundle.format_pattern(pattern, Some(args), &mut errors).into_owned();
        match errors.first() {
            None => Ok(said),
            Some(error) => Err(speechless(error.to_string())),
        }
    }

    /// Says what the problem with the code `wire` is and what it means, if `language` has words for
    /// that besides those that stand in English beside the code.
    pub(crate) fn explain(&self, language: &str, wire: &str) -> Option<(String, String)> {
        let bundle = self.of(language)?;
        let message = bundle.get_message(&format!("problem-{wire}"))?;
        let say = |pattern| bundle.format_pattern(pattern, None, &mut Vec::new()).into_owned();
        Some((say(message.value()?), say(message.get_attribute("words")?.value())))
    }

    /// Returns whether any language has the words `message.attribute`.
    pub(crate) fn has(&self, message: &str, attribute: &str) -> bool {
        self.of(FALLBACK)
            .and_then(|bundle| bundle.get_message(message))
            .is_some_and(|message| message.get_attribute(attribute).is_some())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::problem::Code;

    /// Lists every message and attribute of a language, with its variables (`$at`) and the words it has for
    /// certain values (`[operator]`). Terms and plurals are a matter of each language.
    fn ids(source: &str) -> BTreeMap<String, BTreeSet<String>> {
        let plurals = ["[zero]", "[one]", "[two]", "[few]", "[many]", "[other]"];
        let (mut message, mut id) = (String::new(), String::new());
        let mut ids = BTreeMap::<_, BTreeSet<_>>::new();
        for line in source.lines().filter(|line| !line.starts_with('#')) {
            if let Some((name, _)) = line.split_once(" = ") {
                let name = name.trim();
                if line.starts_with(' ') {
                    id = format!("{message}{name}");
                } else {
                    name.clone_into(&mut message);
                    name.clone_into(&mut id);
                }
                ids.entry(id.clone()).or_default();
            }
            let words = line.split([' ', '{', '}']);
            let told = words.filter(|word| {
                word.starts_with('$') || word.starts_with('[') && !plurals.contains(word)
            });
            ids.entry(id.clone()).or_default().extend(told.map(str::to_owned));
        }
        ids.retain(|id, _| !id.is_empty() && !id.starts_with('-'));
        ids
    }

    #[test]
    fn every_language_has_every_word() {
        let english = ids(ENGLISH.words);
        let kinds = [
            ("email_changing.lead", vec!["$at", "$new_email", "$service"]),
            ("page-factor.left", vec!["$left", "[0]"]),
        ];
        for (id, told) in kinds {
            assert!(english[id].iter().eq(told), "{:?}", english[id]);
        }
        for Language { tag, words, .. } in LANGUAGES {
            let ours = ids(words);
            for (id, told) in &english {
                assert_eq!(ours.get(id), Some(told), "{id} in {tag}");
            }
            let odd: Vec<_> = ours.keys().filter(|id| !english.contains_key(*id)).collect();
            assert_eq!(odd, Vec::<&String>::new(), "{tag}");
        }
    }

    /// The same words are code in every language, and no code is explained that there is not.
    #[test]
    fn every_problem_is_explained_in_every_language() {
        let code = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        for Language { tag, problems, .. } in LANGUAGES {
            if tag == FALLBACK {
                assert_eq!(WORDS.explain(tag, Code::ALL[0].wire()), None);
                continue;
            }
            for problem in Code::ALL {
                let (title, explained) = WORDS
                    .explain(tag, problem.wire())
                    .unwrap_or_else(|| panic!("{} has no words in {tag}", problem.wire()));
                assert!(!title.contains('`') && !title.ends_with('.'), "{title}");
                let (ours, theirs): (BTreeSet<String>, BTreeSet<String>) =
                    (code(problem.words()), code(&explained));
                assert_eq!(ours, theirs, "{explained}");
            }
            let explained = ids(problems).into_keys().filter(|id| !id.contains('.')).count();
            assert_eq!(explained, Code::ALL.len(), "{tag}");
        }
    }

    #[test]
    fn one_and_many_are_told_apart_in_every_language() {
        let days = |tag, count: i64| {
            let mut args = FluentArgs::new();
            args.set("count", count);
            WORDS.say(tag, "span-days", &args).unwrap()
        };
        for Language { tag, .. } in LANGUAGES {
            assert!(days(tag, 3).starts_with("3 "), "{tag}");
            assert!(!days(tag, 1).contains('1'), "{tag}");
        }
        let days = LANGUAGES.map(|language| days(language.tag, 1));
        assert_eq!(days, ["einem Tag", "one day", "un día", "un jour"]);
    }

    #[test]
    fn the_nearest_language_is_picked() {
        for (locale, default, picked) in [
            ("de", "en", "de"),
            ("de-AT", "en", "de"),
            ("de_CH", "en", "de"),
            ("DE", "en", "de"),
            ("es-419", "en", "es"),
            ("fr_CA", "de", "fr"),
            ("it", "de", "de"),
            ("it", "it", "en"),
            ("", "", "en"),
            ("../../etc", "de-DE", "de"),
        ] {
            assert_eq!(Words::pick(locale, default), picked, "{locale} {default}");
        }
    }

    #[test]
    fn what_is_not_given_is_an_error() {
        let error = WORDS.say("en", "verify_email", &FluentArgs::new()).unwrap_err();
        assert!(error.why.contains("service"), "{error}");
        assert!(WORDS.say("en", "no_such", &FluentArgs::new()).is_err());
    }
}
