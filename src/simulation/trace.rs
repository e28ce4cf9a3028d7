//! Everything that one run asked of the database, to be asked of the real ones again.

use crate::store::{CommitError, Query, Row, Statement, Store, StoreError};

#[derive(Default)]
pub(super) struct Trace(Vec<Exchange>);

enum Exchange {
    Select { queries: Vec<Query>, tables: Vec<Vec<Row>> },
    Apply { statements: Vec<Statement>, result: Result<(), CommitError> },
}

impl Trace {
    pub(super) fn selected(&mut self, queries: Vec<Query>, tables: Vec<Vec<Row>>) {
        // What was settled is not part of a run.
        if queries.iter().any(|query| query.sql.contains("FROM identity_provider")) {
            return;
        }
        self.0.push(Exchange::Select { queries, tables });
    }

    pub(super) fn applied(&mut self, statements: Vec<Statement>, result: Result<(), CommitError>) {
        self.0.push(Exchange::Apply { statements, result });
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Asks the same of a store that has seen nothing yet: it must answer the same. Where a query
    /// names no order, any will do.
    pub(super) async fn repeat_on(&self, store: &Store) -> Result<(), StoreError> {
        for (number, exchange) in self.0.iter().enumerate() {
            match exchange {
                Exchange::Select { queries, tables } => {
                    let found = store.select(queries.clone()).await?.tables;
                    assert_eq!(found.len(), tables.len());
                    for ((query, found), expected) in queries.iter().zip(&found).zip(tables) {
                        let same = match query.sql.contains("ORDER BY") {
                            true => found == expected,
                            false => {
                                found.len() == expected.len()
                                    && expected.iter().all(|row| found.contains(row))
                            }
                        };
                        assert!(
                            same,
                            "{number}: {}\n{found:?}\nand in the simulation\n{expected:?}",
                            query.sql
                        );
                    }
                }
                Exchange::Apply { statements, result } => {
                    let found = store.apply(statements.clone()).await;
                    let names: Vec<_> = statements.iter().map(|one| one.what).collect();
                    assert_eq!(found, *result, "{number}: {names:?}");
                }
            }
        }
        Ok(())
    }
}
