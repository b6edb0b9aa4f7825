"""Tables whose layout is told by their values: a row per step, or a column that numbers the rows."""

import pytest

import recurra


@pytest.mark.parametrize("name", ["epoch", "year", "n"])
def test_a_narrow_table_whose_first_column_rises_evenly_has_a_row_per_step(tmp_path, name):
    path = tmp_path / "series.csv"
    path.write_text(f"{name},lynx\n" + "".join(f"{1900 + i},{i % 7}\n" for i in range(40)))
    (record,) = recurra.load(path).records
    assert record.values[:, 0].tolist() == [i % 7 for i in range(40)]
    path.write_text(
        f"{name},lynx,label\n" + "".join(f"{1900 + i},{i % 7},{'ab'[i % 2]}\n" for i in range(40))
    )
    assert len(recurra.load(path)) == 40  # with labels, rows may be sequences


@pytest.mark.parametrize("name", ["sample", "Nr", "", "Unnamed: 0"])
@pytest.mark.parametrize("first", [0, 1])
def test_a_column_that_numbers_the_rows_of_a_wide_table_is_no_step(tmp_path, name, first):
    path = tmp_path / "wide.csv"
    heads = ",".join(f"t{step}" for step in range(8))
    rows = [
        f"{first + i},{'ab'[i % 2]},{','.join(str(i % 5 + step) for step in range(8))}\n" for i in range(20)
    ]
    path.write_text(f"{name},class,{heads}\n" + "".join(rows))
    data = recurra.load(path)
    assert data.records[3].values[:, 0].tolist() == [3.0 + step for step in range(8)]
    if name == "sample":
        assert data.names[3] == str(first + 3)
        assert len(recurra.load(path, id="").records[3].values) == 9
