//! What would help against a password that is too easy to guess, by names that every language has
//! words for.

use std::fmt;

use zxcvbn::feedback::{Suggestion, Warning};

/// One piece of advice. `Display` says it in English.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Advice {
    /// What makes the password weak.
    Warning(Warning),
    /// What would make it stronger.
    Suggestion(Suggestion),
}

// None of them holds anything that is not equal to itself.
impl Eq for Advice {}

impl Advice {
    /// Returns the name of its words in `locales/`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Warning(warning) => match warning {
                Warning::StraightRowsOfKeysAreEasyToGuess => "advice-rows-of-keys",
                Warning::ShortKeyboardPatternsAreEasyToGuess => "advice-keyboard-patterns",
                Warning::RepeatsLikeAaaAreEasyToGuess => "advice-repeated-letters",
                Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => "advice-repeats",
                Warning::ThisIsATop10Password => "advice-top-10",
                Warning::ThisIsATop100Password => "advice-top-100",
                Warning::ThisIsACommonPassword => "advice-very-common",
                Warning::ThisIsSimilarToACommonlyUsedPassword => "advice-like-a-common-one",
                Warning::SequencesLikeAbcAreEasyToGuess => "advice-sequences",
                Warning::RecentYearsAreEasyToGuess => "advice-recent-years",
                Warning::AWordByItselfIsEasyToGuess => "advice-one-word",
                Warning::DatesAreOftenEasyToGuess => "advice-dates",
                Warning::NamesAndSurnamesByThemselvesAreEasyToGuess => "advice-names-alone",
                Warning::CommonNamesAndSurnamesAreEasyToGuess => "advice-common-names",
            },
            Self::Suggestion(suggestion) => match suggestion {
                Suggestion::UseAFewWordsAvoidCommonPhrases => "advice-use-a-few-words",
                Suggestion::NoNeedForSymbolsDigitsOrUppercaseLetters => {
                    "advice-no-need-for-symbols"
                }
                Suggestion::AddAnotherWordOrTwo => "advice-add-words",
                Suggestion::CapitalizationDoesntHelpVeryMuch => "advice-capitals-help-little",
                Suggestion::AllUppercaseIsAlmostAsEasyToGuessAsAllLowercase => {
                    "advice-all-capitals"
                }
                Suggestion::ReversedWordsArentMuchHarderToGuess => "advice-reversed",
                Suggestion::PredictableSubstitutionsDontHelpVeryMuch => "advice-substitutions",
                Suggestion::UseALongerKeyboardPatternWithMoreTurns => "advice-longer-pattern",
                Suggestion::AvoidRepeatedWordsAndCharacters => "advice-avoid-repeats",
                Suggestion::AvoidSequences => "advice-avoid-sequences",
                Suggestion::AvoidRecentYears => "advice-avoid-recent-years",
                Suggestion::AvoidYearsThatAreAssociatedWithYou => "advice-avoid-your-years",
                Suggestion::AvoidDatesAndYearsThatAreAssociatedWithYou => "advice-avoid-your-dates",
            },
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Warning(warning) => warning.fmt(f),
            Self::Suggestion(suggestion) => suggestion.fmt(f),
        }
    }
}

/// Says several in a row.
pub(super) fn sentences(advice: &[Advice]) -> String {
    advice.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
