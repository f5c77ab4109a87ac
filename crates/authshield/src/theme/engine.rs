//! Templates: ours, and an operator's in their place.
//!
//! A template reaches what it is given and nothing else: no file, no variable of the environment, no setting. It
//! cannot turn the escaping off, and takes so many steps at most.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io::{self, Write};

use minijinja::value::ValueKind;
use minijinja::{
    Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value, escape_formatter,
    filters, tests as judges,
};

use super::Unfit;
use super::tags;
use crate::problem::chain;

/// How many steps one template may take; our longest page takes a few thousand.
const FUEL: u64 = 100_000;

/// What would let a value through as it is.
const UNESCAPED: [&str; 2] = ["safe", "tojson"];
/// How much one template may put in, in bytes, parts that it keeps for later among it; our longest page has a tenth.
const PUT_IN_AT_MOST: usize = 256 * 1024;
/// How long what comes of one may be, in bytes.
const LENGTH_AT_MOST: usize = 1024 * 1024;

/// The templates of pages, or those of mails.
pub(crate) struct Engine {
    ours: Environment<'static>,
    own: Option<Environment<'static>>,
    /// An operator's templates by their names.
    files: BTreeMap<String, String>,
    part: &'static str,
}

impl Engine {
    /// Reads our templates, `prepare`d with what they are given besides, and an operator's.
    pub(crate) fn new(
        part: &'static str,
        embedded: &[(&'static str, &'static str)],
        files: BTreeMap<String, String>,
        prepare: impl FnOnce(&mut Environment<'static>),
    ) -> Result<Self, Unfit> {
        let mut ours = language();
        prepare(&mut ours);
        for (name, source) in embedded {
            ours.add_template(name, source).expect("our own templates are well formed");
        }
        let mut engine = Self { ours, own: None, files, part };
        if engine.files.is_empty() {
            return Ok(engine);
        }
        let (mut own, mut wrong) = (engine.ours.clone(), Vec::new());
        for (name, source) in &engine.files {
            let odd = tags::odd(source);
            if !odd.is_empty() {
                let place = |(line, what)| format!("{part}/{name}, line {line}: {what}");
                wrong.extend(odd.into_iter().map(place));
            } else if let Err(error) = own.add_template_owned(name.clone(), source.clone()) {
                wrong.push(engine.told(&error));
            }
        }
        Unfit::unless_fine(wrong)?;
        engine.own = Some(own);
        Ok(engine)
    }

    /// Renders a template. Should an operator's fail although it was tried, ours stands in: a page that looks
    /// otherwise is better than none.
    pub(crate) fn render(&self, name: &str, context: &Value) -> Result<String, Error> {
        if let Some(own) = &self.own {
            match draw(own, name, context) {
                Ok(text) => return Ok(text),
                Err(error) => {
                    let error = chain(&error);
                    tracing::error!(template = name, %error, "an own template failed; ours stands in");
                }
            }
        }
        draw(&self.ours, name, context)
    }

    /// Whether there are an operator's templates, which want to be tried.
    pub(crate) fn has_own(&self) -> bool {
        self.own.is_some()
    }

    /// Renders a template as we do and as an operator's templates do, if there are any.
    pub(crate) fn compare(
        &self,
        name: &str,
        context: &Value,
    ) -> Option<Result<(String, String), String>> {
        let own = self.own.as_ref()?;
        let ours = draw(&self.ours, name, context).expect("our own templates take every sample");
        Some(draw(own, name, context).map(|own| (ours, own)).map_err(|error| self.told(&error)))
    }

    /// Returns which file it is about when something is wrong with the page `name`.
    pub(crate) fn blame(&self, name: &str) -> String {
        if self.files.contains_key(name) {
            return format!("{}/{name}", self.part);
        }
        let files: Vec<_> = self.files.keys().map(|file| format!("{}/{file}", self.part)).collect();
        format!("{}/{name} as it comes out of {}", self.part, files.join(", "))
    }

    /// Says what is wrong, where, and what to do.
    fn told(&self, error: &Error) -> String {
        let mut innermost = error;
        while let Some(inner) = innermost.source().and_then(|it| it.downcast_ref::<Error>()) {
            if inner.name().is_none() {
                break;
            }
            innermost = inner;
        }
        let error = innermost;
        let (name, line) = (error.name().unwrap_or("?"), error.line().unwrap_or(1));
        let mut what = error.kind().to_string();
        if let Some(detail) = error.detail() {
            what = format!("{what}: {detail}");
        }
        let text = self.files.get(name).and_then(|source| source.lines().nth(line - 1));
        if let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) {
            let shown: String = text.chars().take(120).collect();
            what = format!("{what}, in `{shown}`");
        }
        let todo = match error.kind() {
            ErrorKind::SyntaxError => "correct it; the language is that of Jinja",
            ErrorKind::UndefinedError => {
                "it reads something that it is not given; `authshield config templates` shows what ours reads"
            }
            ErrorKind::TemplateNotFound => {
                "only templates that AuthShield has can be used in others"
            }
            ErrorKind::UnknownFilter if UNESCAPED.iter().any(|it| what.contains(it)) => {
                "whatever is put in is escaped; take the filter out"
            }
            ErrorKind::UnknownFilter => "there is no such filter here; take it out",
            ErrorKind::OutOfFuel => "it takes too many steps; make its loops shorter",
            ErrorKind::WriteFailure => "what comes of it is too long; make its loops shorter",
            _ => "compare it with ours: `authshield config templates` shows that",
        };
        format!("{}, line {line}: {what}; {todo}", self.blame(name))
    }
}

/// Returns what templates can do. Whatever makes much out of little in one step, makes text of whatever there is, or
/// lets it through as it is, is not there; nor is what a later version of the engine brings.
fn language() -> Environment<'static> {
    let mut language = Environment::empty();
    language.set_undefined_behavior(UndefinedBehavior::Strict);
    language.set_fuel(Some(FUEL));
    language.set_formatter(put_in);

    language.add_filter("abs", filters::abs);
    language.add_filter("d", filters::default);
    language.add_filter("default", filters::default);
    language.add_filter("first", filters::first);
    language.add_filter("float", filters::float);
    language.add_filter("int", filters::int);
    language.add_filter("last", filters::last);
    language.add_filter("length", filters::length);
    language.add_filter("round", filters::round);
    // Those of the engine take lists, too, and make text of them.
    language.add_filter("lower", |text: &str| text.to_lowercase());
    language.add_filter("trim", |text: &str| text.trim().to_owned());
    language.add_filter("upper", |text: &str| text.to_uppercase());
    language.add_filter("urlencode", |text: &str| filters::urlencode(&Value::from(text)));

    language.add_test("defined", judges::is_defined);
    language.add_test("even", judges::is_even);
    language.add_test("none", judges::is_none);
    language.add_test("number", judges::is_number);
    language.add_test("odd", judges::is_odd);
    language.add_test("string", judges::is_string);
    language.add_test("undefined", judges::is_undefined);
    language
}

fn draw(templates: &Environment<'static>, name: &str, context: &Value) -> Result<String, Error> {
    let mut drawn = Drawn(Vec::new());
    templates.get_template(name)?.render_captured_to(context.clone(), &mut drawn)?;
    Ok(String::from_utf8(drawn.0).expect("templates and values are text"))
}

/// What comes of a template.
struct Drawn(Vec<u8>);

impl Write for Drawn {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if self.0.len() + text.len() > LENGTH_AT_MOST {
            return Err(io::Error::other("it becomes too long"));
        }
        self.0.extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How many bytes one template has put in.
#[derive(Default)]
struct PutIn(usize);

/// Puts a value in. Steps are counted, and a step may put in what others put together before: so is that. A list that
/// has itself many times would be text without end before it could be counted.
fn put_in(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if !matches!(
        value.kind(),
        ValueKind::Undefined
            | ValueKind::None
            | ValueKind::Bool
            | ValueKind::Number
            | ValueKind::String
    ) {
        let told = "a list or something with parts cannot be put in, only one part after the other";
        return Err(Error::new(ErrorKind::InvalidOperation, told));
    }
    let length = value.as_str().map_or_else(|| value.to_string().len(), str::len);
    let PutIn(so_far) = state.get_or_insert_extension(PutIn::default());
    *so_far = so_far.saturating_add(length);
    if *so_far > PUT_IN_AT_MOST {
        let told = format!("it puts in more than {PUT_IN_AT_MOST} bytes");
        return Err(Error::new(ErrorKind::InvalidOperation, told));
    }
    escape_formatter(out, state, value)
}

#[cfg(test)]
mod tests {
    use minijinja::{AutoEscape, context};

    use super::*;

    const EMBEDDED: [(&str, &str); 2] =
        [("a.html", "<p>{{ name }}</p>"), ("b.html", "{% include \"a.html\" %}")];

    fn engine(source: &str) -> Result<Engine, Unfit> {
        let files = BTreeMap::from([("a.html".to_owned(), source.to_owned())]);
        Engine::new("pages", &EMBEDDED, files, |templates| {
            templates.set_auto_escape_callback(|_| AutoEscape::Html);
        })
    }

    fn tried(source: &str) -> String {
        let name = "Ann {{ 7*7 }} <%= 7 %>";
        match engine(source).map(|engine| engine.compare("b.html", &context! { name })) {
            Ok(Some(Ok((_, own)))) => own,
            Ok(Some(Err(wrong))) => wrong,
            Ok(None) => panic!("nothing own"),
            Err(Unfit(wrong)) => wrong.join("\n"),
        }
    }

    /// Does something 400 times, or 400 times as often.
    fn often(what: &str) -> String {
        format!("{{% for x in [{}1] %}}{what}{{% endfor %}}", "1,".repeat(399))
    }

    /// A template has what it is given, and no way to anything else.
    ///
    /// ASVS: V1.3.7
    #[test]
    fn a_template_reaches_no_environment_no_file_and_no_secret() {
        assert_eq!(tried("<b>{{ name }}</b>"), "<b>Ann {{ 7*7 }} &lt;%= 7 %&gt;</b>");
        let mut odd = Vec::new();
        for (source, place, why) in [
            ("{{ env }}", "pages/a.html, line 1: undefined value", "not given"),
            ("\n{{ env.PATH }}", "pages/a.html, line 2: undefined value", "`{{ env.PATH }}`"),
            ("{{ config }}", "pages/a.html, line 1", "not given"),
            ("{{ self.__class__ }}", "pages/a.html, line 1", "`self`"),
            ("{{ name.__class__.__mro__ }}", "pages/a.html, line 1", "undefined"),
            ("{{ debug() }}", "pages/a.html, line 1: unknown function", "debug"),
            ("{{ open('/etc/passwd') }}", "pages/a.html, line 1: unknown function", "open"),
            ("{% include '/etc/passwd' %}", "pages/a.html, line 1: template not found", "only"),
            ("{% extends '../authshield.toml' %}", "pages/a.html, line 1", "template not found"),
            ("<i>\n{{ name|safe }}", "pages/a.html, line 2: unknown filter", "is escaped"),
            ("{{ name|tojson }}", "pages/a.html, line 1: unknown filter", "is escaped"),
            ("x\n{%- autoescape false %}{{ name }}{% endautoescape %}", "line 2", "autoescape"),
            (&often(&often("")), "pages/a.html, line 1", "too many steps"),
            ("{{ range(9) }}", "pages/a.html, line 1: unknown function", "range"),
            ("{{ namespace(a=1).a }}", "pages/a.html, line 1: unknown function", "namespace"),
            ("{% set a %}x{% endset %}{{ a }}", "pages/a.html, line 1", "cannot be kept"),
            ("{{ [name, [name]] }}", "pages/a.html, line 1: invalid operation", "cannot be put in"),
            ("{{ {'a': name} }}", "pages/a.html, line 1: invalid operation", "cannot be put in"),
            ("{{ [name]|upper }}", "pages/a.html, line 1: invalid operation", "not a string"),
            ("{{ [name]|urlencode }}", "pages/a.html, line 1: invalid operation", "not a string"),
            ("{{ [name]|title }}", "pages/a.html, line 1: unknown filter", "take it out"),
            ("{{ [name]|e }}", "pages/a.html, line 1: unknown filter", "take it out"),
            ("{% if [name] is startingwith('x') %}{% endif %}", "pages/a.html", "unknown test"),
            ("{% if %}", "pages/a.html, line 1: syntax error", "correct it"),
            (
                "{{ 'x'|indent(100000000000000) }}",
                "pages/a.html, line 1: unknown filter",
                "take it out",
            ),
            (
                "{{ '%999999999d'|format(1) }}",
                "pages/a.html, line 1: unknown filter",
                "take it out",
            ),
            (
                &format!("\n{{{{ 1{} }}}}", "-1".repeat(20_000)),
                "pages/a.html, line 2",
                "make several",
            ),
            ("\n{{ 'x' * 1000000000 }}", "pages/a.html, line 2: `*`", "side by side"),
            ("{% set a = name ~ name %}", "pages/a.html, line 1: `~`", "side by side"),
            ("{{- name + name -}}", "pages/a.html, line 1: `+`", "side by side"),
            ("{{ [name, name]|join }}", "pages/a.html, line 1: unknown filter", "take it out"),
            (
                "{{ 'x'|list|batch(1000000000, 'x') }}",
                "pages/a.html, line 1: unknown filter",
                "it out",
            ),
            (
                &format!("{{% set a = '{}' %}}{}", "x".repeat(900), often("{{ a }}")),
                "line 1",
                "more than 262144 bytes",
            ),
            (
                "{% macro m(a, n) %}{{ m(a ,n) }}{{ m(a, n) }}{{ a }}{% endmacro %}{{ m('x', 1) }}",
                "pages/a.html, line 1",
                "recursion",
            ),
            (&often(&"x".repeat(3000)), "pages/a.html, line 1", "too long"),
            (
                &format!("{{% if {}1 %}}", "-".repeat(20_000)),
                "pages/a.html, line 1",
                "make several",
            ),
            ("{% include 'a.html' %}", "pages/a.html", "recursion"),
        ] {
            let wrong = tried(source);
            if !(wrong.contains(place) && wrong.contains(why)) {
                odd.push(format!("{source}: {wrong}"));
            }
        }
        assert_eq!(odd, Vec::<String>::new());
    }

    #[test]
    fn what_is_useful_is_there() {
        let name =
            "{{ name|trim|lower|upper|length }} {{ [name, 2]|last }} {{ none|default(3, true) }}";
        assert_eq!(tried(name), "22 2 3");
        let text = "{{ 'a b'|urlencode }}{% if name is defined and 3 is odd %}{{ 1 }}{% endif %}";
        assert_eq!(tried(text), "a%20b1");
        let own = "{% macro m(a) %}{% for b in a %}<i>{{ b }}</i>{% endfor %}{% endmacro %}";
        assert_eq!(tried(&format!("{own}{{{{ m([1, '<']) }}}}")), "<i>1</i><i>&lt;</i>");
    }

    #[test]
    fn ours_stands_in_for_one_that_fails() {
        let engine = engine("{% if odd %}{{ no.such.name }}{% endif %}own").unwrap();
        let render = |odd| engine.render("b.html", &context! { name => "Ann", odd }).unwrap();
        assert_eq!(render(false), "own");
        assert_eq!(render(true), "<p>Ann</p>");
    }
}
