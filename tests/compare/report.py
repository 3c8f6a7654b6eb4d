"""What was compared, what differed, and what an engine could not read."""
import collections


class Report:
    def __init__(self, names):
        """`names`: what is counted as compared, in the order in which it is shown."""
        self.names = names
        self.compared, self.differences, self.not_read = collections.Counter(), [], collections.Counter()

    def take(self, other):
        """Adds what another report found."""
        self.compared.update(other.compared)
        self.not_read.update(other.not_read)
        self.differences += other.differences

    def differ(self, table, where, differences):
        try:
            for what, this, that in differences:
                self.differences.append((table.name, where, f"{what}: {str(this)[:200]} / {str(that)[:200]}"))
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            self.failed(table, where, f"an answer of another shape than agreed: {error!r}")

    def unread(self, table, engine, error):
        self.not_read[table.name, engine, str(error)] += 1

    def failed(self, table, where, error):
        self.differences.append((table.name, where, str(error)))

    def show(self):
        if self.not_read:
            print("Not read:")
            for (table, engine, reason), count in sorted(self.not_read.items()):
                print(f"  {table} not read by {engine} ({count} times): {reason}")
        if self.differences:
            print("Differences (dl / the other):")
            # One cause often shows at many versions: the first stands for all that differ in the same thing.
            alike = {}
            for table, where, text in self.differences:
                alike.setdefault((table, where.split(", ")[-1], text.split(":")[0]), []).append((where, text))
            for (table, _, _), all_of_it in alike.items():
                where, text = all_of_it[0]
                more = f" (and {len(all_of_it) - 1} alike)" if len(all_of_it) > 1 else ""
                print(f"  {table}, {where}: {text}{more}")
        print("Compared:")
        for name in self.names:
            print(f"  {name:24}{self.compared[name]:7}")
        print(f"  {'not read':24}{sum(self.not_read.values()):7}")
        print(f"  {'differences':24}{len(self.differences):7}")
