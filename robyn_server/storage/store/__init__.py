"""Store items: LangGraph's store on the databases of the server, with search by meaning."""
