//! As much of `PromQL` as our rules and panels use: whether an expression can be read, and what it names. What is not known
//! here is an error, so that nothing is let through.

use std::iter::Peekable;
use std::vec::IntoIter;

const AGGREGATIONS: [&str; 4] = ["sum", "min", "max", "count"];
const FUNCTIONS: [&str; 4] = ["rate", "increase", "histogram_quantile", "absent"];
/// Those that need a time in brackets. Nothing else may have one.
const OF_TIMES: [&str; 2] = ["rate", "increase"];
const WORDS_BETWEEN: [&str; 3] = ["and", "or", "unless"];
const SIGNS_BETWEEN: [&str; 10] = ["==", "!=", ">=", "<=", ">", "<", "+", "-", "*", "/"];

/// What an expression names.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Read {
    /// Each metric that it asks for.
    pub selectors: Vec<Selector>,
    /// Each label that it groups by.
    pub groupings: Vec<String>,
}

/// One metric, with what its labels have to be.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Selector {
    pub metric: String,
    pub matchers: Vec<(String, String)>,
    /// Whether it is a stretch of time that no function has made a value of.
    has_time: bool,
}

/// Reads a whole expression.
pub fn read(text: &str) -> Result<Read, String> {
    let mut reader = Reader { tokens: tokens(text)?.into_iter().peekable(), read: Read::default() };
    reader.expression()?;
    match reader.tokens.next() {
        None if reader.read.selectors.iter().any(|selector| selector.has_time) => Err("a time is for nothing".to_owned()),
        None => Ok(reader.read),
        Some(token) => Err(format!("{token:?} is too much")),
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Token {
    Word(String),
    Number(String),
    Time(String),
    Text(String),
    Sign(&'static str),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    const SIGNS: [&str; 17] = ["=~", "!~", "==", "!=", ">=", "<=", ">", "<", "+", "-", "*", "/", "(", ")", "{", "}", ","];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = |is: fn(char) -> bool| rest.find(|c| !is(c)).unwrap_or(rest.len());
        let (next, end) = if first.is_ascii_alphabetic() {
            let end = length(|c| c.is_ascii_alphanumeric() || c == '_');
            (Token::Word(rest[..end].to_owned()), end)
        } else if first.is_ascii_digit() {
            let end = length(|c| c.is_ascii_digit() || c == '.');
            (Token::Number(rest[..end].to_owned()), end)
        } else if first == '"' {
            let end = rest[1..].find('"').ok_or("a text has no end")? + 1;
            (Token::Text(rest[1..end].to_owned()), end + 1)
        } else if first == '[' {
            let end = rest.find(']').ok_or("a time has no end")?;
            (Token::Time(rest[1..end].to_owned()), end + 1)
        } else {
            let sign = SIGNS.into_iter().chain(["="]).find(|sign| rest.starts_with(sign)).ok_or_else(|| format!("{first:?}"))?;
            (Token::Sign(sign), sign.len())
        };
        tokens.push(next);
        rest = rest[end..].trim_start();
    }
    Ok(tokens)
}

struct Reader {
    tokens: Peekable<IntoIter<Token>>,
    read: Read,
}

impl Reader {
    fn expression(&mut self) -> Result<(), String> {
        self.operand()?;
        while self.tokens.next_if(is_between).is_some() {
            self.operand()?;
        }
        Ok(())
    }

    fn operand(&mut self) -> Result<(), String> {
        match self.tokens.next() {
            Some(Token::Number(number)) => number.parse::<f64>().map(drop).map_err(|why| format!("{number}: {why}")),
            Some(Token::Sign("(")) => {
                self.expression()?;
                self.sign(")")
            }
            Some(Token::Word(word)) if AGGREGATIONS.contains(&word.as_str()) => self.aggregation(),
            Some(Token::Word(word)) if FUNCTIONS.contains(&word.as_str()) => self.call(&word),
            Some(Token::Word(word)) => self.selector(word),
            other => Err(format!("{other:?} where a value should be")),
        }
    }

    fn aggregation(&mut self) -> Result<(), String> {
        if self.tokens.next_if_eq(&Token::Word("by".to_owned())).is_some() {
            self.sign("(")?;
            let mut labels = self.list(Self::word)?;
            self.read.groupings.append(&mut labels);
        }
        self.sign("(")?;
        self.expression()?;
        self.sign(")")
    }

    fn call(&mut self, function: &str) -> Result<(), String> {
        let before = self.read.selectors.len();
        self.sign("(")?;
        self.list(Self::expression)?;
        if OF_TIMES.contains(&function) {
            let of_this = &mut self.read.selectors[before..];
            if of_this.iter().any(|selector| !selector.has_time) {
                return Err(format!("{function} needs a time"));
            }
            for selector in of_this {
                selector.has_time = false;
            }
        }
        Ok(())
    }

    fn selector(&mut self, metric: String) -> Result<(), String> {
        let braced = self.tokens.next_if_eq(&Token::Sign("{")).is_some();
        let matchers = if braced { self.matchers()? } else { Vec::new() };
        let time = self.tokens.next_if(|token| matches!(token, Token::Time(_)));
        if let Some(Token::Time(time)) = &time
            && time.strip_suffix(['s', 'm', 'h', 'd']).is_none_or(|count| count.parse::<u32>().is_err())
        {
            return Err(format!("[{time}] is no time"));
        }
        self.read.selectors.push(Selector { metric, matchers, has_time: time.is_some() });
        Ok(())
    }

    fn matchers(&mut self) -> Result<Vec<(String, String)>, String> {
        let mut matchers = Vec::new();
        loop {
            let label = self.word()?;
            match (self.tokens.next(), self.tokens.next()) {
                (Some(Token::Sign("=" | "!=" | "=~" | "!~")), Some(Token::Text(value))) => matchers.push((label, value)),
                other => return Err(format!("{label}: {other:?}")),
            }
            match self.tokens.next() {
                Some(Token::Sign(",")) => {}
                Some(Token::Sign("}")) => return Ok(matchers),
                other => return Err(format!("{other:?} after a label")),
            }
        }
    }

    /// What stands between commas, up to the bracket.
    fn list<T>(&mut self, one: fn(&mut Self) -> Result<T, String>) -> Result<Vec<T>, String> {
        let mut list = vec![one(self)?];
        while self.tokens.next_if_eq(&Token::Sign(",")).is_some() {
            list.push(one(self)?);
        }
        self.sign(")")?;
        Ok(list)
    }

    fn word(&mut self) -> Result<String, String> {
        match self.tokens.next() {
            Some(Token::Word(word)) => Ok(word),
            other => Err(format!("{other:?} where a name should be")),
        }
    }

    fn sign(&mut self, sign: &'static str) -> Result<(), String> {
        match self.tokens.next() {
            Some(Token::Sign(found)) if found == sign => Ok(()),
            other => Err(format!("{other:?} where {sign:?} should be")),
        }
    }
}

fn is_between(token: &Token) -> bool {
    match token {
        Token::Word(word) => WORDS_BETWEEN.contains(&word.as_str()),
        Token::Sign(sign) => SIGNS_BETWEEN.contains(sign),
        _ => false,
    }
}

#[test]
fn what_prometheus_would_not_read_is_an_error() {
    let whole = read(r#"sum by (a, b) (rate(x_total{c="d|e",f=~"g"}[5m])) / 2 > 0.5 unless absent(y)"#).unwrap();
    assert_eq!(whole.groupings, ["a", "b"]);
    let names: Vec<&str> = whole.selectors.iter().map(|s| s.metric.as_str()).collect();
    assert_eq!((names, whole.selectors[0].matchers.len()), (vec!["x_total", "y"], 2));
    for wrong in [
        "sum(x",
        "sum by a (x)",
        "x >",
        "x y",
        "rate(x)",
        "rate(x[5])",
        "x[5m]",
        "x{a=b}",
        "x{a}",
        "rats(x)",
        "x)",
        "",
        "x[5m",
        "histogram_quantile(0.9 x)",
    ] {
        assert!(read(wrong).is_err(), "{wrong}: {:?}", read(wrong));
    }
}
