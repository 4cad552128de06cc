// Attributes that become tags; clang alone has them.

#define __user __attribute__((btf_type_tag("user")))
#define __rcu __attribute__((btf_type_tag("rcu")))
#define __tag(x) __attribute__((btf_decl_tag(x)))

struct buffer {
	char __user *from;
	const struct buffer __rcu *next;
	int __user *__rcu *both;
	int counted __tag("counter");
} __tag("whole");

typedef struct buffer buffer_type __tag("typedef");

struct buffer buffer;
buffer_type other;
