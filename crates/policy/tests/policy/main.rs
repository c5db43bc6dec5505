//! Policies as operators write them, and what they decide.

mod answers;
mod checks;
mod explained;
mod operators;
mod oracle;
mod speed;
mod support;
