"""/docs of a service of several scenarios."""

from releve.serving.openapi.document import service_document
from releve.serving.openapi.page import render


def test_the_page_of_several_scenarios_has_an_example_of_a_row_and_leads_to_the_page_of_each():
    page = render(service_document(), scenarios=["churn", "rent"])

    assert "tenure_months" in page
    assert '<a href="/scenarios/churn/docs">churn</a>, <a href="/scenarios/rent/docs">rent</a>' in page
