//! What holds of the response to a breach: a story, histories by chance, clocks, statements.

mod clocks;
mod histories;
mod response;
mod sample;
mod statement;
