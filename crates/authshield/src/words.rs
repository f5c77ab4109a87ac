//! The words of letters and pages, in every language we have.

use std::collections::BTreeMap;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use unic_langid::LanguageIdentifier;

/// Every language, with its words.
const LANGUAGES: [(&str, &str); 2] =
    [("de", include_str!("../locales/de.ftl")), (FALLBACK, include_str!("../locales/en.ftl"))];

/// What the codes of problems mean, where that is not said in English, beside the codes.
const PROBLEMS: [(&str, &str); 1] = [("de", include_str!("../locales/problems.de.ftl"))];

/// The language that has every word.
const FALLBACK: &str = "en";

/// The words of every language.
pub(crate) struct Words {
    bundles: BTreeMap<&'static str, FluentBundle<FluentResource>>,
}

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

impl Words {
    pub(crate) fn load() -> Self {
        let bundles = LANGUAGES
            .into_iter()
            .map(|(language, source)| {
                let resource = FluentResource::try_new(source.to_owned())
                    .expect("our own words are well formed; a test says so");
                let id: LanguageIdentifier = language.parse().expect("our own languages have ids");
                let mut bundle = FluentBundle::new_concurrent(vec![id]);
                // The marks would end up in subjects and in what people copy.
                bundle.set_use_isolating(false);
                bundle.add_resource(resource).expect("our own words have one meaning each");
                for (_, source) in PROBLEMS.iter().filter(|(of, _)| *of == language) {
                    let resource = FluentResource::try_new((*source).to_owned())
                        .expect("our own words are well formed; a test says so");
                    bundle.add_resource(resource).expect("our own words have one meaning each");
                }
                (language, bundle)
            })
            .collect();
        Self { bundles }
    }

    /// Returns the language that serves `locale` best: `de-AT` is German; an unknown one gets the
    /// default, and an unknown default English.
    pub(crate) fn pick(&self, locale: &str, default: &str) -> &'static str {
        [locale, default].into_iter().find_map(|locale| self.known(locale)).unwrap_or(FALLBACK)
    }

    /// Returns our language for `locale`, if we have one.
    pub(crate) fn known(&self, locale: &str) -> Option<&'static str> {
        let wanted: LanguageIdentifier = locale.replace('_', "-").parse().ok()?;
        self.languages().find(|language| wanted.language.as_str() == *language)
    }

    /// Returns every language.
    pub(crate) fn languages(&self) -> impl Iterator<Item = &'static str> {
        self.bundles.keys().copied()
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
            let bundle = self.bundles.get(language)?;
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
        let bundle = self.bundles.get(language)?;
        let message = bundle.get_message(&format!("problem-{wire}"))?;
        let say = |pattern| bundle.format_pattern(pattern, None, &mut Vec::new()).into_owned();
        Some((say(message.value()?), say(message.get_attribute("words")?.value())))
    }

    /// Returns whether any language has the words `message.attribute`.
    pub(crate) fn has(&self, message: &str, attribute: &str) -> bool {
        self.bundles[FALLBACK]
            .get_message(message)
            .is_some_and(|message| message.get_attribute(attribute).is_some())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::problem::Code;

    /// Lists every message and attribute of a language.
    fn ids(source: &str) -> BTreeSet<String> {
        let mut message = String::new();
        let mut ids = BTreeSet::new();
        for line in source.lines().filter(|line| line.contains(" = ") && !line.starts_with('#')) {
            let id = line.split(" = ").next().unwrap().trim();
            if line.starts_with(' ') {
                ids.insert(format!("{message}{id}"));
            } else {
                id.clone_into(&mut message);
                ids.insert(message.clone());
            }
        }
        ids
    }

    #[test]
    fn every_language_has_every_word() {
        let english = ids(LANGUAGES[1].1);
        assert!(english.contains("verify_email.lead"));
        for (language, source) in LANGUAGES {
            assert_eq!(ids(source), english, "{language}");
        }
    }

    /// The same words are code in every language, and no code is explained that there is not.
    #[test]
    fn every_problem_is_explained_in_every_language() {
        let words = Words::load();
        let code = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        for (language, source) in PROBLEMS {
            for problem in Code::ALL {
                let (title, explained) = words
                    .explain(language, problem.wire())
                    .unwrap_or_else(|| panic!("{} has no words in {language}", problem.wire()));
                assert!(!title.contains('`') && !title.ends_with('.'), "{title}");
                let (ours, theirs): (BTreeSet<String>, BTreeSet<String>) =
                    (code(problem.words()), code(&explained));
                assert_eq!(ours, theirs, "{explained}");
            }
            let explained = ids(source).into_iter().filter(|id| !id.contains('.')).count();
            assert_eq!(explained, Code::ALL.len(), "{language}");
        }
        assert_eq!(words.explain("en", Code::ALL[0].wire()), None);
    }

    #[test]
    fn the_nearest_language_is_picked() {
        let words = Words::load();
        for (locale, default, picked) in [
            ("de", "en", "de"),
            ("de-AT", "en", "de"),
            ("de_CH", "en", "de"),
            ("DE", "en", "de"),
            ("fr", "de", "de"),
            ("fr", "fr", "en"),
            ("", "", "en"),
            ("../../etc", "de-DE", "de"),
        ] {
            assert_eq!(words.pick(locale, default), picked, "{locale} {default}");
        }
    }

    #[test]
    fn what_is_not_given_is_an_error() {
        let words = Words::load();
        let error = words.say("en", "verify_email", &FluentArgs::new()).unwrap_err();
        assert!(error.why.contains("service"), "{error}");
        assert!(words.say("en", "no_such", &FluentArgs::new()).is_err());
    }
}
