//! Faults, on purpose: proxies before the API server and before the double of GitHub lose, refuse, cut, hold back and forget
//! what they are told to, or end the service. Whatever goes wrong, each story ends as it does when nothing does.
//!
//! | file | what it knows |
//! |---|---|
//! | `rules` | what goes wrong, for whom and when |
//! | `proxy`, `old` | how a request is passed on, or not; how it is answered from an older state |
//! | `stage` | a world whose service goes by the proxies, and is started again whenever it has ended |
//! | `tale`, `stories` | a pull request in a namespace and a repository of its own, and what happens to it |
//! | `ending`, `words` | how things are in the end, without what no two runs have in common |
//! | `table`, `run` | the stories and the faults, and how they are told |
//! | `idle` | who gives way to others, which nobody does within an hour |
//! | `unseen` | what was made and neither recorded nor seen |
//! | `lies` | a GitHub that loses its mind for an hour |

#![cfg(test)]

mod ending;
mod idle;
mod lies;
mod old;
mod proxy;
mod rules;
mod run;
mod stage;
mod stories;
mod table;
mod tale;
mod unseen;
mod words;
