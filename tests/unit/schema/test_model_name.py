"""Names of models are made of the names of tables."""

from __future__ import annotations

import pytest

from dataflow.schema import model_name


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("users", "User"),
        ("order_items", "OrderItem"),
        ("Order Details", "OrderDetail"),
        ("MediaType", "MediaType"),
        ("InvoiceLine", "InvoiceLine"),
        ("categories", "Category"),
        ("keys", "Key"),
        ("movies", "Movie"),
        ("addresses", "Address"),
        ("statuses", "Status"),
        ("houses", "House"),
        ("boxes", "Box"),
        ("sizes", "Size"),
        ("quizzes", "Quizz"),
        ("branches", "Branch"),
        ("coaches", "Coach"),
        ("caches", "Cache"),
        ("wishes", "Wish"),
        ("analyses", "Analysis"),
        ("status", "Status"),
        ("address", "Address"),
        ("settings", "Settings"),
        ("news", "News"),
        ("2024", "Table2024"),
        ("%", "Table"),
        ("none", "NoneModel"),
        ("true", "TrueModel"),
        ("größen", "Größen"),
    ],
)
def test_a_table_names_what_one_row_is(table: str, name: str) -> None:
    assert model_name(table) == name
